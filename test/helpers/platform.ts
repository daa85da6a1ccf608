import { context, metrics, propagation, trace } from '@opentelemetry/api';
import {
  Client,
  Connection,
  type WorkflowHandle,
  type WorkflowHandleWithFirstExecutionRunId,
} from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ActivityDeps } from '../../src/activities/deps.ts';
import { createActivities } from '../../src/activities/index.ts';
import { prefixed, TASK_QUEUES, type WorkflowType } from '../../src/contracts/names.ts';
import { openWorld } from '../../src/effects/world.ts';
import { createFabric } from '../../src/fabric/index.ts';
import { deviceCosts, deviceCounts, loadManifest, type Manifest } from '../../src/manifest/manifest.ts';
import { openArtifacts } from '../../src/stores/artifacts/open.ts';
import { createStores, type Stores } from '../../src/stores/index.ts';
import { clientInterceptors } from '../../src/telemetry/temporal.ts';
import { startTelemetry, type Telemetry } from '../../src/telemetry/telemetry.ts';
import { startWorkers, type RunningWorkers } from '../../src/workers/runtime.ts';
import { stopAtEnd } from './hooks.ts';
import { queuePrefix, testStack, type TestStack } from './stack.ts';
import { noModels } from './learning.ts';

/** A device class that is declared and that no worker of {@link TestPlatform.work} polls. */
export const IDLE_CLASS = 'idle';

/** Stores, queues of its own and workers in this process, on the shared test stack. */
export interface TestPlatform {
  readonly stack: TestStack;
  readonly stores: Stores;
  readonly databaseUrl: string;
  readonly temporal: Client;
  readonly connection: Connection;
  readonly queuePrefix: string;
  readonly workflowQueue: string;
  readonly manifest: Manifest;
  /** Workers of a role, polling; stopped at the end for whoever forgets. */
  work(role?: string): Promise<RunningWorkers>;
  /**
   * A worker of one activity queue with something in its place that misbehaves. When it stops it gives what runs no
   * grace: an activity that listens is cancelled at once and tried elsewhere.
   */
  ruthlessWorker(queue: string, instead?: Partial<ActivityDeps>): Promise<RuthlessWorker>;
  /** Starts a workflow under an ID of its own, unless one is given. */
  start(type: WorkflowType, input: object, options?: StartOptions): Promise<WorkflowHandleWithFirstExecutionRunId>;
  /** {@link start}, and its result. */
  execute<R>(type: WorkflowType, input: object, options?: StartOptions): Promise<R>;
}

export interface RuthlessWorker {
  /** Tells it to stop, without waiting. */
  shutdown(): void;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly id?: string;
  readonly startDelay?: number;
}

export interface PlatformOptions {
  /** Takes the rows and bytes of another platform, with queues and workers of its own. */
  readonly beside?: TestPlatform;
  /** In front of every queue; default: a random one. */
  readonly queuePrefix?: string;
  /** Devices by class; default: two of `cpu`, so that tests do not wait for each other, and one of {@link IDLE_CLASS}. */
  readonly devices?: Readonly<Record<string, number>>;
  /** Base models that its workers know beside those that ship with Chimera. */
  readonly modelsManifest?: string;
}

/** A project that nobody else uses: rows, workflow IDs and streams of tests do not meet. */
export const randomProject = (): string => `p${randomBytes(5).toString('hex')}`;

let telemetry: Promise<Telemetry> | undefined;

/** The telemetry of a test process: counts, and writes nothing. */
export const silentTelemetry = (): Promise<Telemetry> =>
  (telemetry ??= startTelemetry({ serviceName: 'test', logLevel: 'silent' }).then((started) => {
    // A test of telemetry, or of a whole platform, must be able to make its own the process's.
    metrics.disable();
    trace.disable();
    context.disable();
    propagation.disable();
    stopAtEnd(() => started.shutdown());
    return started;
  }));

let shared: Promise<TestPlatform> | undefined;

/** The platform that all tests of this process share, with workers of every role. */
export function sharedPlatform(): Promise<TestPlatform> {
  return (shared ??= openPlatform().then(async (platform) => {
    await platform.work();
    return platform;
  }));
}

/** A platform without workers: {@link TestPlatform.work} starts them. */
export async function openPlatform(options: PlatformOptions = {}): Promise<TestPlatform> {
  const stack = await testStack();
  const prefix = options.queuePrefix ?? queuePrefix();
  const manifest = testManifest(options.devices ?? { cpu: 2, [IDLE_CLASS]: 1 });
  const connection = await Connection.connect({ address: stack.temporalAddress });
  stopAtEnd(() => connection.close());
  const temporal = new Client({ connection, namespace: stack.namespace, interceptors: clientInterceptors() });
  const { stores, databaseUrl } = options.beside ?? (await openStores(stack));
  const workflowQueue = prefixed(prefix, TASK_QUEUES.workflows);
  const platform: TestPlatform = {
    stack,
    stores,
    databaseUrl,
    temporal,
    connection,
    queuePrefix: prefix,
    workflowQueue,
    manifest,
    async work(role = 'all') {
      const polled = manifest.taskQueues.filter((queue) => queue.kind !== 'device' || queue.deviceClass !== IDLE_CLASS);
      const workers = await startWorkers({
        role,
        queuePrefix: prefix,
        manifest: role === 'all' ? { ...manifest, taskQueues: polled } : manifest,
        toolsFolder: TOOLS_FOLDER,
        stores,
        telemetry: await silentTelemetry(),
        connection: { address: stack.temporalAddress },
        namespace: stack.namespace,
        cacheDir: stack.config.cacheDir,
        ...(options.modelsManifest === undefined ? {} : { modelsManifest: options.modelsManifest }),
        poolSize: 2,
      });
      stopAtEnd(() => workers.stop());
      return workers;
    },
    async ruthlessWorker(queue, instead = {}) {
      const fabric =
        instead.fabric ??
        createFabric({ poolSize: 1, resolve: (sha256) => (instead.stores ?? stores).artifacts.get({ sha256 }) });
      const { activities } = createActivities({
        stores,
        fabric,
        temporal,
        lendBlobs: () => ({ release() {} }),
        learning: noModels(),
        deviceClasses: deviceCounts(manifest),
        deviceCosts: deviceCosts(manifest),
        runtimes: {},
        world: await openWorld({ tools: [], toolsFolder: TOOLS_FOLDER, reachable: [] }),
        queuePrefix: prefix,
        ...instead,
      });
      const native = await NativeConnection.connect({ address: stack.temporalAddress });
      const worker = await Worker.create({
        connection: native,
        namespace: stack.namespace,
        taskQueue: prefixed(prefix, queue),
        activities,
        shutdownGraceTime: 0,
        maxHeartbeatThrottleInterval: '1 s',
      });
      const run = worker.run();
      const shutdown = (): void => void (worker.getState() === 'RUNNING' && worker.shutdown());
      let stopping: Promise<void> | undefined;
      const stop = async (): Promise<void> => {
        shutdown();
        await run;
        fabric.close();
        await native.close();
      };
      stopAtEnd(() => (stopping ??= stop()));
      return { shutdown, stop: () => (stopping ??= stop()) };
    },
    start: (type, input, { id = `${type}-${randomBytes(5).toString('hex')}`, ...rest } = {}) =>
      temporal.workflow.start(type, { workflowId: id, taskQueue: workflowQueue, args: [input], ...rest }),
    async execute<R>(type: WorkflowType, input: object, startOptions?: StartOptions) {
      return (await (await platform.start(type, input, startOptions)).result()) as R;
    },
  };
  return platform;
}

async function openStores(stack: TestStack): Promise<{ stores: Stores; databaseUrl: string }> {
  const database = await stack.createDatabase();
  const stores = createStores({ databaseUrl: database.url, artifacts: openArtifacts(stack.stack.artifacts), max: 20 });
  await stores.migrate();
  stopAtEnd(() => database.drop());
  stopAtEnd(() => stores.close());
  return { stores, databaseUrl: database.url };
}

const TOOLS_FOLDER = fileURLToPath(new URL('../agents/tools/', import.meta.url));

/** Where a test may put a worker of its own for the tool `elsewhere`. */
export const FOREIGN_QUEUE = 'tools-of-a-test';

const tool = (name: string, where: Pick<Manifest['tools'][number], 'module' | 'queue' | 'activity'>) => ({
  ...{ name, description: 'of a test', input: {}, timeout: 30_000, price: 0.25 },
  ...where,
});

/** Those of `test/agents/tools/`, and one of another worker. */
const TOOLS: Manifest['tools'] = [
  ...['counting', 'gate', 'journal-line'].map((name) => tool(name, { module: `./${name}.ts` })),
  tool('elsewhere', { queue: FOREIGN_QUEUE, activity: 'lookUp' }),
];

function testManifest(devices: Readonly<Record<string, number>>): Manifest {
  const shipped = loadManifest();
  const queues = shipped.taskQueues.filter((queue) => queue.kind !== 'device');
  return {
    ...shipped,
    schedules: [],
    tools: TOOLS,
    taskQueues: [
      ...queues,
      ...Object.keys(devices).map((deviceClass) => ({
        name: `chimera-gpu-${deviceClass}`,
        kind: 'device' as const,
        slots: 2,
        deviceClass,
      })),
    ],
    deviceClasses: Object.fromEntries(
      Object.entries(devices).map(([name, count]) => [
        name,
        { count, costPerHour: 3.6, provider: 'cpu' as const, threads: 1 },
      ]),
    ),
  };
}

/** What the Temporal UI shows of a run: its state text. */
export async function stateText(handle: WorkflowHandle): Promise<string> {
  return (await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata')).currentDetails ?? '';
}

/** The search attributes of a run, as plain values. */
export async function attributesOf(handle: WorkflowHandle): Promise<Record<string, unknown>> {
  const { typedSearchAttributes } = await handle.describe();
  return Object.fromEntries(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]));
}

/**
 * Makes the server suggest continue-as-new: history beyond 4 MB. The signal is one that no workflow knows; what is
 * buffered for it is not read.
 */
export async function fatten(handle: WorkflowHandle): Promise<void> {
  const ballast = 'x'.repeat(1_500_000);
  for (let i = 0; i < 3; i++) await handle.signal('ballast', ballast);
}

/** Looks until `look` gives something, with what it waits for in the error. */
export async function until<T>(what: string, look: () => Promise<T | undefined | false>, limitMs = 20_000): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`);
    await delay(40);
  }
}

/** The error of ours at the bottom of a failed run: its code, its message, and what went with it. */
export async function failureOf(handle: WorkflowHandle): Promise<{ code: string; message: string; details: unknown }> {
  try {
    await handle.result();
  } catch (error) {
    let cause = error as Error & { type?: string; details?: unknown[] };
    while (cause.cause instanceof Error && cause.type?.startsWith('CHIMERA_') !== true)
      cause = cause.cause as typeof cause;
    return { code: cause.type ?? cause.name, message: cause.message, details: cause.details?.[0] };
  }
  throw new Error(`${handle.workflowId} did not fail`);
}
