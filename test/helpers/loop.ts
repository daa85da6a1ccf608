import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { installExample } from '../../src/cli/demo/install.ts';
import { playStream, type PlanEvent, type PlanSight } from '../../src/cli/demo/plan.ts';
import { platformSight } from '../../src/cli/demo/sight.ts';
import { startWorkers, type WorkerGroup } from '../../src/cli/worker-group.ts';
import { ChimeraClient } from '../../src/client/index.ts';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { DEFAULT_PROJECT as PROJECT } from '../../src/contracts/names.ts';
import { freePort } from '../../src/devstack/ports.ts';
import { isAlive, waitUntil } from '../../src/machine/processes.ts';
import { applyManifest } from '../../src/manifest/apply.ts';
import { loadManifest } from '../../src/manifest/manifest.ts';
import { openArtifacts } from '../../src/stores/artifacts/open.ts';
import { createStores } from '../../src/stores/index.ts';
import { wordItems, words } from '../failpoints/words.ts';
import { passed } from './failpoints.ts';
import { collectFacts, findWrongs, searchShape, unfinished, withDatabase, type Facts } from './loop-facts.ts';
import type { TestStack } from './stack.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const WORKER = here('../../src/workers/main.ts');
const GATEWAY = here('./gateway-process.ts');
const PRELOAD = pathToFileURL(here('../failpoints/preload.ts')).href;

/** How a run is disturbed, and by what it is carried out. */
export interface LoopOptions {
  readonly stack: TestStack;
  readonly seed?: string;
  /** Worker processes; default 1. */
  readonly workers?: number;
  /** Kill whatever process passes this failpoint for the n-th time. */
  readonly kill?: { readonly name: string; readonly occurrence: number };
  /** Preloads that make workers and gateway wrong, for negative controls. */
  readonly controls?: readonly string[];
  /** SQL for the fresh database, for negative controls. */
  readonly spoil?: string;
  readonly disturb?: readonly Disturbance[];
  readonly limitMs?: number;
  /** Hears what the run is at. */
  readonly log?: (line: string) => void;
}

/** What happens, once, when the cycle says a text that `at` matches; the run goes on meanwhile. */
export interface Disturbance {
  readonly at: RegExp;
  readonly by: (loop: { killGateway(): void }) => Promise<void>;
}

export interface LoopRun {
  readonly facts: Facts;
  /** What was lost, done twice or left behind. */
  readonly wrongs: string[];
  /** Did the kill and all disturbances happen? */
  readonly disturbed: boolean;
  /** Failpoints passed, by name. */
  readonly hits: Record<string, number>;
  readonly shape: { generations: number; shardsInFlight: number };
  readonly seconds: number;
}

/** Sizes of the stream: a challenger that is better promotes within the second hundred of its rollout. */
const SIZES = { learn: 240, prove: 200 };
const SINGLES = 3;

/**
 * Plays a small stream on a platform of its own (namespace, database, artifacts, gateway and worker processes): tasks with
 * feedback, a cycle that promotes, single tasks at the end. Then stops everything and tells what came out.
 */
export async function runLoop(options: LoopOptions): Promise<LoopRun> {
  const begun = performance.now();
  const undo: (() => Promise<unknown>)[] = [];
  try {
    return await run(options, undo, begun);
  } finally {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step().catch(() => undefined);
  }
}

async function run(options: LoopOptions, undo: (() => Promise<unknown>)[], begun: number): Promise<LoopRun> {
  const { stack, seed = 'kills', limitMs = 240_000, log = (): void => undefined } = options;
  const name = `loop-${randomBytes(5).toString('hex')}`;
  const folder = join(stack.config.home, name);
  const failpoints = join(folder, 'failpoints');
  mkdirSync(failpoints, { recursive: true });
  const database = await stack.createDatabase();
  undo.push(() => database.drop());
  const artifacts = join(folder, 'artifacts');
  const stores = createStores({
    databaseUrl: database.url,
    artifacts: openArtifacts({ kind: 'directory', path: artifacts }),
  });
  undo.push(() => stores.close());
  const connection = await Connection.connect({ address: stack.temporalAddress });
  undo.push(() => connection.close());
  await Promise.all([
    stores.migrate().then(() => withDatabase(database.url, (client) => client.query(options.spoil ?? ''))),
    applyManifest({ ...loadManifest(), schedules: [] }, connection, { namespace: name }),
  ]);
  log('namespace and schema are there');
  const temporal = new Client({ connection, namespace: name });
  await stores.projects.ensure(PROJECT);
  const { key: apiKey } = await stores.apiKeys.create(PROJECT, 'loop');
  const baseline = await installExample(stores, PROJECT, words);
  const port = await freePort();
  const { kill } = options;
  const env = {
    CHIMERA_HOME: folder,
    CHIMERA_CACHE: stack.config.cacheDir,
    CHIMERA_DATABASE_URL: database.url,
    CHIMERA_ARTIFACTS_PATH: artifacts,
    CHIMERA_TEMPORAL_ADDRESS: stack.temporalAddress,
    CHIMERA_TEMPORAL_NAMESPACE: name,
    CHIMERA_GATEWAY_PORT: String(port),
    CHIMERA_POOL_SIZE: '1',
    CHIMERA_LOG_LEVEL: 'warn',
    CHIMERA_METRICS_PORT: '0',
    CHIMERA_TEST_FAILPOINTS: failpoints,
    ...(kill === undefined ? {} : { CHIMERA_TEST_KILL: `${kill.name}:${kill.occurrence}` }),
  };
  const begin = async (what: string, count: number, command: string[]): Promise<WorkerGroup> => {
    const logs = join(folder, what);
    mkdirSync(logs);
    const preloads = [PRELOAD, ...(options.controls ?? []).map((path) => pathToFileURL(path).href)];
    const group = await startWorkers({
      count,
      command: [...preloads.flatMap((preload) => ['--import', preload]), ...command],
      env,
      logs,
      pauseMs: 50,
      // What does not end at once is killed: nothing may hang on an orderly end.
      stopMs: 300,
    });
    undo.push(() => group.stop());
    return group;
  };
  const starting = [
    begin('gateway', 1, [GATEWAY]),
    begin('workers', options.workers ?? 1, [WORKER, '--role', 'all']),
  ] as const;
  // Where one does not start, the other must have started before it can be stopped.
  await Promise.allSettled(starting);
  const [gateway, workers] = await Promise.all(starting);
  log('everything runs');

  const client = new ChimeraClient({
    baseUrl: `http://127.0.0.1:${port}`,
    apiKey,
    retry: { attempts: 500, initialMs: 50, maximumMs: 500 },
  });
  const items = wordItems(seed, SIZES);
  const ending = AbortSignal.timeout(limitMs);
  const disturb = options.disturb ?? [];
  const disturbances = new Map<Disturbance, Promise<void>>();
  const onEvent = (event: PlanEvent): void => {
    if (event.kind === 'part') log(event.part);
    if (event.kind !== 'cycle') return;
    log(event.text);
    for (const one of disturb)
      if (!disturbances.has(one) && one.at.test(event.text))
        disturbances.set(one, one.by({ killGateway: () => process.kill(gateway.pids[0]!, 'SIGKILL') }));
  };
  await playStream({
    client,
    taskType: words.taskType.name,
    items,
    sight: patient(platformSight(stores, PROJECT, words.taskType.name)),
    cycle: {
      seed,
      minimumExamples: 40,
      population: 8,
      generations: 3,
      variants: ['words', 'words-nb'],
      shards: 2,
      // So strict that the decision needs a second hundred of tasks: the canary is part of the run.
      rollout: { alpha: 1e-16 },
    },
    name: seed,
    onEvent,
    signal: ending,
    pollMs: 100,
  });
  await Promise.all(disturbances.values());
  log('the plan is played');
  await serveSingles(client, seed);
  const total = items.length + SINGLES;
  await waitUntil(async () => (await stores.kpi.monitor(PROJECT, words.taskType.name))?.consumedTo === total, 30_000);
  log('the single tasks are scored');
  await waitUntil(async () => (await unfinished(temporal)) === 0, 60_000, 100);
  await stores.audit.seal(PROJECT);
  const wrongs = await findWrongs(stores, database.url, temporal, total);
  const facts = await collectFacts(stores, database.url, words.taskType.name);
  const shape = await searchShape(stores, temporal, words.taskType.name);
  if (facts.champion === baseline) wrongs.push('nothing was promoted');
  log('the facts are collected');
  const { hits, killed } = passed(failpoints);
  const processes = [...workers.pids, ...gateway.pids, ...killed.flat()].flatMap((pid) => [pid, ...descendants(pid)]);
  await Promise.all([workers.stop(), gateway.stop()]);
  const gone = await waitUntil(() => !processes.some(isAlive), 10_000);
  if (!gone) wrongs.push(`processes left: ${processes.filter(isAlive).join(', ')}`);
  const disturbed = (kill === undefined || killed.length > 0) && disturbances.size === disturb.length;
  return { facts, wrongs, disturbed, hits, shape, seconds: (performance.now() - begun) / 1000 };
}

/** Tasks on their own, one after another: the same ordinals in every run. */
async function serveSingles(client: ChimeraClient, seed: string): Promise<void> {
  const items = wordItems(`${seed}/single`, { learn: SINGLES, prove: 0 });
  for (const { id, payload, expected } of items) {
    const key = `${seed}/single/${id}`;
    await client.submitAndWait({ taskType: words.taskType.name, payload, key });
    await client.feedback({ key, feedback: { kind: 'demonstration', value: expected } });
  }
}

/** A look that outlasts a database that is away for a while. */
function patient(sight: PlanSight): PlanSight {
  const again = async <T>(look: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await look();
      } catch (error) {
        if (attempt === 200 || !isChimeraError(error, 'CHIMERA_STORE_UNAVAILABLE')) throw error;
        await delay(100);
      }
    }
  };
  return {
    nextOrdinal: () => again(() => sight.nextOrdinal()),
    consumedTo: () => again(() => sight.consumedTo()),
    rollout: () => again(() => sight.rollout()),
    driftEvents: () => again(() => sight.driftEvents()),
  };
}

function descendants(of: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // it ended meanwhile
    }
  }
  const below = (pid: number): number[] =>
    [...parents].filter(([, parent]) => parent === pid).flatMap(([child]) => [child, ...below(child)]);
  return below(of);
}
