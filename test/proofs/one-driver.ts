import type { Proof } from '../../bench/harness/types.ts';
import { baselineGenome } from '../../examples/mail-triage/baseline.ts';
import { loadMailTriage, type MailExample } from '../../examples/mail-triage/data.ts';
import { mailTriage } from '../../examples/mail-triage/task-type.ts';
import type { Genome } from '../../src/core/evolution/genome.ts';
import type { JsonObject } from '../../src/contracts/records.ts';
import { canonicalJson } from '../../src/core/canonical/canonical.ts';
import { LINEAR_VARIANTS } from '../../src/core/training/linear/spec.ts';
import { createTrainer } from '../../src/core/training/linear/trainer.ts';
import { createPreprocessor } from '../../src/core/validation/preprocess/pipeline.ts';
import { createStarter } from '../../src/gateway/starter.ts';
import type { StoredExecution } from '../../src/stores/index.ts';
import { mochaHooks } from '../helpers/hooks.ts';
import { openPlatform, type TestPlatform } from '../helpers/platform.ts';
import { openScene, type Scene } from '../workflows/scene.ts';

const PROJECT = 'one-driver';
const MODEL = 'words';
const TRAINED_ON = 200;
const AT_A_TIME = 100;

export const proof: Proof = {
  name: 'one-driver',
  title: 'Real mails through taskWorkflow and through taskBatchWorkflow give equal execution records',

  async run({ count = 500, seed, log }) {
    try {
      const { compared, differences, modelCalls, failed } = await compareDrivers({ count, seed, log });
      const lines = [...differences, `${modelCalls} model calls and ${failed} failed executions among them`];
      return { passed: compared - differences.length, failed: differences.length, lines };
    } finally {
      await mochaHooks.afterAll();
    }
  },
};

export interface Comparison {
  compared: number;
  /** A line for each task whose records differ. */
  differences: string[];
  modelCalls: number;
  failed: number;
}

/**
 * Two stores with the same project, agent, model and task keys: one runs each task alone, the other all of them as a batch.
 * Whatever is stored of an execution, its time apart, must be equal.
 */
export async function compareDrivers(options: {
  count: number;
  seed: string;
  log: (line: string) => void;
  /** One with workers already, to save their start. */
  platform?: TestPlatform;
}): Promise<Comparison> {
  const { count, seed, log } = options;
  const mails = await loadMailTriage({ seed, limit: count + TRAINED_ON });
  const model = await train(mails.slice(0, TRAINED_ON));
  // The last one is no mail: that it fails must be equal too.
  const payloads = [...mails.slice(TRAINED_ON, TRAINED_ON + count - 1).map(({ raw }) => ({ raw })), { raw: 'no mail' }];
  const [alone, inBatch] = await Promise.all([open(model, options.platform), open(model)]);
  const rows = await Promise.all([
    timed('taskWorkflow', log, () => runAlone(alone, payloads)),
    timed('taskBatchWorkflow', log, () => runAsBatch(inBatch, payloads)),
  ]);
  const [one, other] = rows.map((executions) => executions.map(withoutTime)) as [JsonObject[], JsonObject[]];
  const differences = payloads.flatMap((_, i) =>
    canonicalJson(one[i] ?? null) === canonicalJson(other[i] ?? null) && one[i] !== undefined
      ? []
      : [`task ${i}: ${canonicalJson(one[i] ?? null)} is not ${canonicalJson(other[i] ?? null)}`],
  );
  const sum = (of: (row: StoredExecution) => number): number => rows[0].reduce((total, row) => total + of(row), 0);
  return {
    compared: payloads.length,
    differences,
    modelCalls: sum((row) => row.modelCalls),
    failed: sum((row) => (row.status === 'failed' ? 1 : 0)),
  };
}

const withoutTime = ({ storedAt: _storedAt, ...row }: StoredExecution): JsonObject => row as unknown as JsonObject;

async function timed<T>(name: string, log: (line: string) => void, work: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  const result = await work();
  log(`${name}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  return result;
}

/** An agent with effects: rules first, and what they do not settle is asked of a model. */
const asking = (name: string): Genome => ({
  ...baselineGenome,
  otherwise: { ask: true },
  model: { name, input: mailTriage.text!, score: 1, threshold: 0.5, positive: 'spam', negative: 'ham' },
});

async function train(mails: readonly MailExample[]): Promise<Uint8Array> {
  const prepare = createPreprocessor(mailTriage.preprocess, []);
  const train = await Promise.all(
    mails.map(async ({ raw, label }) => ({ text: String((await prepare({ raw })).payload['text']), label })),
  );
  const spec = LINEAR_VARIANTS.find(({ name }) => name === MODEL)!;
  const trainer = createTrainer(spec, { labels: ['ham', 'spam'], train, validation: [] });
  while (!trainer.progress.done) trainer.step();
  return trainer.model();
}

async function open(model: Uint8Array, ready?: TestPlatform): Promise<Scene> {
  const platform = ready ?? (await openPlatform());
  if (ready === undefined) await platform.work();
  const artifact = await platform.stores.artifacts.put(model, { kind: 'model' });
  const name = `${MODEL}@${artifact.sha256.slice(0, 8)}`;
  return openScene(platform, asking(name), { type: mailTriage, project: PROJECT, models: { [name]: artifact.sha256 } });
}

const executions = ({ platform, project, taskType }: Scene, count: number): Promise<StoredExecution[]> =>
  platform.stores.executions.range(project, taskType, 0, count);

async function runAlone(scene: Scene, payloads: readonly JsonObject[]): Promise<StoredExecution[]> {
  const { temporal, queuePrefix } = scene.platform;
  const starter = createStarter({ temporal, queuePrefix, deadlineMs: 30_000 });
  const tasks = await scene.admit(payloads, { prefix: 'mail' });
  for (let at = 0; at < tasks.length; at += AT_A_TIME) {
    await Promise.all(tasks.slice(at, at + AT_A_TIME).map(async (task) => (await starter.task(task)).result()));
  }
  return executions(scene, tasks.length);
}

async function runAsBatch(scene: Scene, payloads: readonly JsonObject[]): Promise<StoredExecution[]> {
  const { platform, project } = scene;
  const tasks = await scene.admit(payloads, { batch: 'all', prefix: 'mail' });
  await platform.execute('taskBatchWorkflow', { project, batchId: scene.batchId('all'), shardSize: 90, window: 2 });
  return executions(scene, tasks.length);
}
