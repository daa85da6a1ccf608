import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { startWorkers } from '../../src/cli/worker-group.ts';
import { DEFAULT_PROJECT as PROJECT, workflowId } from '../../src/contracts/names.ts';
import type { JsonValue } from '../../src/contracts/records.ts';
import { parseTaskType } from '../../src/core/validation/task-type.ts';
import { applyManifest } from '../../src/manifest/apply.ts';
import { loadManifest } from '../../src/manifest/manifest.ts';
import { openArtifacts } from '../../src/stores/artifacts/open.ts';
import { createStores } from '../../src/stores/index.ts';
import type { TestPlatform } from './platform.ts';
import { openScene } from '../workflows/scene.ts';
import type { Kill } from '../failpoints/cases.ts';
import { testAgent } from './agents.ts';
import { passed } from './failpoints.ts';
import { withDatabase } from './loop-facts.ts';
import type { TestStack } from './stack.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const WORKER = here('../../src/workers/main.ts');
const PRELOAD = pathToFileURL(here('../failpoints/preload.ts')).href;
const MANIFEST = here('../agents/temporal.yaml');

const JOURNAL = parseTaskType({
  name: 'journal',
  version: 1,
  title: 'Keep a journal of so many lines',
  input: { type: 'object', required: ['turns'], properties: { turns: { type: 'integer' } } },
  output: { type: 'object' },
  scorer: { kind: 'exact' },
  objectives: [{ kpi: 'accuracy', direction: 'maximise' }],
  limits: { turns: 100_000, fuel: 100_000_000_000 },
});

export interface LongLifeOptions {
  readonly stack: TestStack;
  /** Tool calls of the agent. */
  readonly calls: number;
  /** Workers that pass these failpoints for the n-th time are killed, each once. */
  readonly kills?: readonly Kill[];
  readonly limitMs?: number;
  readonly log?: (line: string) => void;
}

export interface LongLife {
  readonly status: string;
  readonly output: JsonValue | undefined;
  readonly recordHash: string | undefined;
  readonly transcript: string;
  readonly turns: number;
  /** Workers that died. */
  readonly killed: number;
  /** Failpoints of turns, and how often they were passed. */
  readonly hits: Record<string, number>;
  /** Of the workflow's runs, one after another. */
  readonly runs: readonly { readonly events: number; readonly bytes: number }[];
  readonly activities: number;
  /** Effects that were recorded, and rows of them: the same number where nothing was performed for nothing. */
  readonly effects: number;
  /** Bytes that PostgreSQL wrote ahead, and bytes of history, both for one turn. */
  readonly bytesPerTurn: number;
  readonly seconds: number;
}

/** An agent that calls a tool so often and remembers all of it, on workers of its own that may be killed. */
export async function runLongLife(options: LongLifeOptions): Promise<LongLife> {
  const { stack, calls, kills = [], limitMs = 120_000, log = (): void => undefined } = options;
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const begun = performance.now();
    const name = `long-${randomBytes(5).toString('hex')}`;
    const folder = join(stack.config.home, name);
    const failpoints = join(folder, 'failpoints');
    const artifacts = join(folder, 'artifacts');
    mkdirSync(failpoints, { recursive: true });
    const database = await stack.createDatabase();
    undo.push(() => database.drop());
    const stores = createStores({
      databaseUrl: database.url,
      artifacts: openArtifacts({ kind: 'directory', path: artifacts }),
    });
    undo.push(() => stores.close());
    await stores.migrate();
    const connection = await Connection.connect({ address: stack.temporalAddress });
    undo.push(() => connection.close());
    await applyManifest(loadManifest(MANIFEST), connection, { namespace: name });
    const temporal = new Client({ connection, namespace: name });
    const scene = await openScene({ stores } as TestPlatform, await testAgent('journal'), {
      type: JOURNAL,
      project: PROJECT,
      manifest: {
        capabilities: ['tool', 'memory'],
        tools: ['journal-line'],
        limits: { turns: 100_000, fuel: 100_000_000_000 },
      },
    });
    const [task] = await scene.admit([{ turns: calls }]);
    const group = await startWorkers({
      count: 1,
      command: ['--import', PRELOAD, WORKER, '--role', 'all'],
      env: {
        CHIMERA_HOME: folder,
        CHIMERA_CACHE: stack.config.cacheDir,
        CHIMERA_MANIFEST: MANIFEST,
        CHIMERA_DATABASE_URL: database.url,
        CHIMERA_ARTIFACTS_PATH: artifacts,
        CHIMERA_TEMPORAL_ADDRESS: stack.temporalAddress,
        CHIMERA_TEMPORAL_NAMESPACE: name,
        CHIMERA_POOL_SIZE: '1',
        CHIMERA_LOG_LEVEL: 'warn',
        CHIMERA_METRICS_PORT: '0',
        CHIMERA_TEST_FAILPOINTS: failpoints,
        CHIMERA_TEST_KILL: kills.map(({ name: at, occurrence }) => `${at}:${occurrence}`).join(','),
      },
      logs: folder,
      pauseMs: 50,
      stopMs: 300,
    });
    undo.push(() => group.stop());
    const written = (): Promise<number> =>
      withDatabase(database.url, async (client) => {
        const { rows } = await client.query<{ bytes: string }>(`SELECT pg_current_wal_lsn() - '0/0' AS bytes`);
        return Number(rows[0]!.bytes);
      });
    const before = await written();
    const { taskId } = task!;
    const handle = await temporal.workflow.start('taskWorkflow', {
      workflowId: 'long-life',
      taskQueue: 'chimera-workflows',
      args: [{ project: PROJECT, taskId }],
      workflowExecutionTimeout: limitMs,
    });
    const result = (await handle.result()) as { status: string; output?: JsonValue };
    const seconds = (performance.now() - begun) / 1000;
    const wal = (await written()) - before;
    const execution = await stores.longExecutions.require(PROJECT, taskId);
    const { runs, activities } = await runsOf(temporal, workflowId.execution(PROJECT, taskId));
    const { hits, killed } = passed(failpoints);
    const effects = await withDatabase(database.url, async (client) => {
      const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM effects');
      return Number(rows[0]!.count);
    });
    const bytes = wal + runs.reduce((sum, run) => sum + run.bytes, 0);
    log(`${execution.turn} turns in ${seconds.toFixed(0)} s, ${killed.length} workers died`);
    return {
      ...{ status: result.status, output: result.output, recordHash: execution.recordHash, turns: execution.turn },
      transcript: (execution.record as { transcript: { hash: string } }).transcript.hash,
      killed: killed.length,
      hits: Object.fromEntries(Object.entries(hits).filter(([at]) => at.startsWith('turns.'))),
      ...{ runs, activities, effects, bytesPerTurn: bytes / execution.turn, seconds },
    };
  } finally {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step().catch(() => undefined);
  }
}

/** The runs of a workflow, each continued by the next. */
async function runsOf(temporal: Client, id: string): Promise<Pick<LongLife, 'runs' | 'activities'>> {
  const runs: LongLife['runs'][number][] = [];
  let activities = 0;
  let runId: string | undefined;
  do {
    const handle = temporal.workflow.getHandle(id, runId);
    const { historySize = 0 } = await handle.describe();
    const events = (await handle.fetchHistory()).events ?? [];
    runs.unshift({ events: events.length, bytes: historySize });
    activities += events.filter((event) => event.activityTaskScheduledEventAttributes).length;
    runId = events[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
  } while (runId !== undefined);
  return { runs, activities };
}
