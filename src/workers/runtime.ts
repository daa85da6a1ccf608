import { availableParallelism } from 'node:os';
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createDataConverter } from '../codec/data-converter.ts';
import type { EncryptionKey } from '../codec/payload-codec.ts';
import { withCircuits } from '../activities/circuits.ts';
import { createActivities } from '../activities/index.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import { deviceQueue, prefixed } from '../contracts/names.ts';
import { createLendingFabric } from '../fabric/lending.ts';
import { hostOf, openLearning } from '../learning/learning.ts';
import { loadModels } from '../learning/registry/manifest.ts';
import { openWorld } from '../effects/world.ts';
import { wasmtimePath } from '../fabric/wasmtime/release.ts';
import { deviceCounts, deviceCosts, deviceRuntimes, type Manifest } from '../manifest/manifest.ts';
import type { Stores } from '../stores/index.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { clientInterceptors, runtimeOptions, workerInterceptors, workflowSinks } from '../telemetry/temporal.ts';
import { workflowBundle } from './bundle.ts';
import { withDevices } from './devices.ts';
import { queuesOf } from './roles.ts';

export interface WorkerOptions {
  role: string;
  manifest: Manifest;
  /** Where the modules of its tools are looked up from. */
  toolsFolder: string;
  /** Private addresses that http effects of agents may reach. */
  reachable?: readonly string[];
  stores: Stores;
  telemetry: Telemetry;
  connection: ConnectionOptions;
  namespace: string;
  cacheDir: string;
  /** Base models beside those that ship with Chimera: a file like models/manifest.json. */
  modelsManifest?: string;
  /** Sandbox processes; default: the processors of this machine. */
  poolSize?: number;
  queuePrefix?: string;
  /** The first encrypts payloads, all decrypt; without one they are not encrypted. */
  encryptionKeys?: readonly EncryptionKey[];
}

export interface RunningWorkers {
  /** Settles when the workers have stopped; rejects when one failed. */
  done: Promise<void>;
  /** Stops polling, lets running activities end, and closes everything. */
  stop(): Promise<void>;
}

let runtimeInstalled = false;

/** The workers of a role in this process, polling when this returns. */
export async function startWorkers(options: WorkerOptions): Promise<RunningWorkers> {
  const { manifest, stores, telemetry, namespace, cacheDir, queuePrefix = '' } = options;
  const queues = await withDevices(options.role, queuesOf(options.role, manifest), manifest, (problem) =>
    telemetry.logger.warn({ err: problem }, 'a device class is left to other workers'),
  );
  if (!runtimeInstalled) {
    Runtime.install(runtimeOptions(telemetry));
    runtimeInstalled = true;
  }
  const resolve = (sha256: string): Promise<Uint8Array> => stores.artifacts.get({ sha256 });
  const learning = openLearning({
    cacheDir,
    models: loadModels(options.modelsManifest),
    resolve,
    onLine: (line) => telemetry.logger.info({ line }, 'base model'),
  });
  const { fabric, lendBlobs } = createLendingFabric({
    poolSize: options.poolSize ?? availableParallelism(),
    resolve,
    wasmtime: wasmtimePath(cacheDir),
    hosted: hostOf(learning),
  });
  const dataConverter = createDataConverter(options.encryptionKeys ?? []);
  const connection = await Connection.connect(options.connection);
  const native = await NativeConnection.connect(options.connection as Parameters<typeof NativeConnection.connect>[0]);
  const deps: ActivityDeps = {
    stores,
    learning,
    fabric: withCircuits(fabric),
    temporal: new Client({ connection, namespace, dataConverter, interceptors: clientInterceptors() }),
    deviceClasses: deviceCounts(manifest),
    deviceCosts: deviceCosts(manifest),
    runtimes: Object.fromEntries(
      Object.entries(deviceRuntimes(manifest)).map(([name, runtime]) => [
        prefixed(queuePrefix, deviceQueue(name)),
        runtime,
      ]),
    ),
    queuePrefix,
    lendBlobs,
    world: await openWorld({
      tools: manifest.tools,
      toolsFolder: options.toolsFolder,
      reachable: options.reachable ?? [],
      report: (tool, err) => telemetry.logger.warn({ err, tool }, 'a tool failed'),
    }),
  };
  const { activities, layerOf } = createActivities(deps);
  const encrypted = options.encryptionKeys !== undefined && options.encryptionKeys.length > 0;
  const codePath = await workflowBundle(cacheDir, undefined, encrypted);
  const workers = await Promise.all(
    queues.map(({ queue, kind, slots }) =>
      Worker.create({
        connection: native,
        namespace,
        taskQueue: prefixed(queuePrefix, queue),
        shutdownGraceTime: '5 s',
        shutdownForceTime: '30 s',
        // Heartbeats bring cancellation: the SDK's default would hold them back for most of their timeout.
        maxHeartbeatThrottleInterval: '1 s',
        dataConverter,
        interceptors: workerInterceptors(layerOf),
        ...(kind === 'workflow'
          ? {
              workflowBundle: { codePath },
              sinks: workflowSinks(telemetry),
              maxConcurrentWorkflowTaskExecutions: slots,
              maxCachedWorkflows: 500,
            }
          : { activities, maxConcurrentActivityTaskExecutions: slots }),
      }),
    ),
  );
  const runs = workers.map((worker) => worker.run());
  const done = Promise.all(runs).then(() => undefined);
  done.catch(() => undefined);
  let stopping: Promise<void> | undefined;
  return {
    done,
    stop: () => (stopping ??= stop()),
  };

  async function stop(): Promise<void> {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.allSettled(runs);
    fabric.close();
    await learning.close();
    await connection.close();
    await native.close();
  }
}
