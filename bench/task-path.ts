import { loadExample, type DemoExample, type ExampleItem } from '../src/cli/demo/example.ts';
import { playExample } from '../src/cli/demo/play.ts';
import type { Platform } from '../src/cli/platform.ts';
import { availableParallelism } from 'node:os';
import { quantile, spread } from './harness/measure.ts';
import { criterion, type Benchmark, type BenchmarkResult } from './harness/types.ts';
import { BARE_QUEUE, startBareWorker } from './peers/bare/bare.ts';
import { retold, runBulk, type BulkRun } from './platform/bulk.ts';
import { acceptSingle, taskRunner } from './platform/tasks.ts';
import { onTemporaryPlatform, seconds } from './platform/temporary.ts';

const PAIRS = 250;
const WARM_UP = 25;
const CONCURRENT = 1_000;
const ROUNDS = 5;
/** How often the stream is in one batch, each time in other words: a batch is long beside its start. */
const COPIES = 3;
const MAILS_PER_SECOND = 2_000;

export const benchmark: Benchmark = {
  name: 'task-path',
  title: 'A task alone against a bare Temporal workflow, a thousand at once, and real mail in bulk with champion 2',
  run: ({ seed, log }) =>
    onTemporaryPlatform(log, async (platform, signal) => {
      const example = await loadExample('mail-triage');
      const items = await example.load({ seed });
      const begun = performance.now();
      await playExample(platform, example, items, { seed, name: `task-path/${seed}`, signal, onEvent: () => {} });
      log(`champion 2 serves after ${seconds(begun)} s`);
      const parts = [
        await alone(platform, example, items, log),
        await atOnce(platform, example, items, log),
        await inBulk(platform, example, items, signal, log),
      ];
      return {
        figures: Object.assign({}, ...parts.map(({ figures }) => figures)) as BenchmarkResult['figures'],
        criteria: parts.flatMap(({ criteria }) => criteria),
      };
    }),
};

/** One task after another, each beside a bare workflow; who goes first changes with every pair. */
async function alone(
  platform: Platform,
  example: DemoExample,
  items: readonly ExampleItem[],
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const { temporal, stack } = platform;
  const run = taskRunner(platform);
  const bare = await startBareWorker(stack.temporal.address, stack.temporal.namespace);
  try {
    const tasks = await acceptSingle(
      platform,
      example.taskType.name,
      retold(items.slice(0, PAIRS + WARM_UP), 'alone'),
      'alone',
    );
    const timed = async (work: () => Promise<unknown>): Promise<number> => {
      const begun = performance.now();
      await work();
      return performance.now() - begun;
    };
    const mine: number[] = [];
    const theirs: number[] = [];
    for (const [i, task] of tasks.entries()) {
      const sides: (() => Promise<void>)[] = [
        async () => void mine.push(await timed(() => run(task))),
        async () =>
          void theirs.push(
            await timed(() =>
              temporal.workflow.execute('bareWorkflow', {
                taskQueue: BARE_QUEUE,
                workflowId: `bare/${i}`,
                args: ['text'],
              }),
            ),
          ),
      ];
      for (const side of i % 2 === 0 ? sides : sides.reverse()) await side();
    }
    const of = (all: readonly number[]) => {
      const counted = all.slice(WARM_UP);
      return {
        p50: quantile(counted, 0.5),
        p95: quantile(counted, 0.95),
        p99: quantile(counted, 0.99),
        runs: counted.length,
      };
    };
    const [task, peer] = [of(mine), of(theirs)];
    log(`alone: p95 ${task.p95.toFixed(1)} ms, bare ${peer.p95.toFixed(1)} ms`);
    return {
      figures: { 'taskWorkflow, unloaded, ms': task, 'bare one-activity workflow, unloaded, ms': peer },
      criteria: [criterion('unloaded taskWorkflow against a bare workflow, p95 ratio', task.p95 / peer.p95, '<=', 2)],
    };
  } finally {
    await bare.stop();
  }
}

/** A thousand workflows started at once; each must end, and each must have left exactly one execution. */
async function atOnce(
  platform: Platform,
  example: DemoExample,
  items: readonly ExampleItem[],
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const { stores, config } = platform;
  const run = taskRunner(platform);
  const chosen = retold(items.slice(0, CONCURRENT), 'together');
  const tasks = await acceptSingle(platform, example.taskType.name, chosen, 'together');
  const begun = performance.now();
  const results = await Promise.allSettled(tasks.map(run));
  const took = seconds(begun);
  const finished = results.filter(({ status }) => status === 'fulfilled').length;
  const stored = await Promise.all(tasks.map(({ taskId }) => stores.executions.forTask(config.project, taskId)));
  const once = stored.filter((rows) => rows.length === 1).length;
  log(`at once: ${finished} of ${tasks.length} in ${took} s`);
  return {
    figures: { [`${CONCURRENT} concurrent taskWorkflows`]: { seconds: took, perSecond: tasks.length / took } },
    criteria: [
      criterion('concurrent taskWorkflows that finished', finished, '=', CONCURRENT),
      criterion('of them with exactly one stored execution', once, '=', CONCURRENT),
    ],
  };
}

/** The whole stream again and again, in other words, through `taskBatchWorkflow`. */
async function inBulk(
  platform: Platform,
  example: DemoExample,
  items: readonly ExampleItem[],
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const { stores, config } = platform;
  const taskType = example.taskType.name;
  // The single tasks before have no feedback, and a stream is scored in the order of its ordinals.
  await resolveAll(platform, taskType, items);
  const rounds: BulkRun[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const batch = Array.from({ length: COPIES }, (_, copy) =>
      retold(items, `again${round}${'abcdefgh'[copy]}`).map((item) => ({ ...item, id: `${item.id}/${copy}` })),
    ).flat();
    const run = await runBulk(platform, taskType, batch, `bulk-${round}`, signal);
    const [idle, stolen] = [run.idleShare, run.stolenShare].map((share) => `${(100 * share).toFixed(0)} %`);
    log(`in bulk: ${Math.round(run.tasks / run.seconds)} mails/s; idle ${idle}, taken by the machine's host ${stolen}`);
    // The first one compiles.
    if (round > 0) rounds.push(run);
  }
  const { champion } = (await stores.deployments.current(config.project, taskType))!;
  const rate = spread(rounds.map(({ tasks, seconds: took }) => tasks / took));
  const parts = [...new Set(rounds.flatMap(({ cpu }) => Object.keys(cpu)))];
  const perMail = Object.fromEntries(
    parts.map((part) => [
      part,
      quantile(
        rounds.map(({ cpu, tasks }) => (1000 * (cpu[part] ?? 0)) / tasks),
        0.5,
      ),
    ]),
  );
  const total = Object.values(perMail).reduce((sum, value) => sum + value, 0);
  return {
    figures: {
      'bulk, what is measured':
        'from closing an admitted batch to its last score: dispatch, taskBatchWorkflow, preparation, agent with its model, executions, feedback joined, scores, windows, drift test',
      'bulk, agent': champion.slice(0, 8),
      'bulk, mails a round': COPIES * items.length,
      'bulk, mails/s, executions and scores stored': { ...rate },
      'bulk, mails/s, executions stored': {
        ...spread(rounds.map(({ tasks, executedSeconds }) => tasks / executedSeconds)),
      },
      'bulk, processor ms a mail': { ...perMail, total },
      'bulk, mails/s that all processors of this machine could do at that cost':
        (1000 * availableParallelism()) / total,
      "bulk, share of processor time that the machine's host gave to others": {
        ...spread(rounds.map(({ stolenShare }) => stolenShare)),
      },
    },
    criteria: [
      criterion('bulk through taskBatchWorkflow with champion 2', rate.median, '>=', MAILS_PER_SECOND, 'mails/s'),
    ],
  };
}

/** Feedback for every task that has none. */
async function resolveAll(
  { stores, config }: Platform,
  taskType: string,
  items: readonly ExampleItem[],
): Promise<void> {
  const { project } = config;
  const expected = new Map(items.map((item) => [item.id, item.expected]));
  const from = await stores.tasks.watermark(project, taskType);
  const tasks = await stores.tasks.summaries(
    project,
    taskType,
    from,
    await stores.tasks.nextOrdinal(project, taskType),
  );
  await stores.feedback.addMany(
    project,
    tasks.map(({ taskId, key }) => ({
      taskId,
      feedback: { kind: 'demonstration' as const, value: expected.get(key.slice(key.indexOf('/') + 1))! },
    })),
  );
}
