import assert from 'node:assert/strict';
import type { DatasetSummary } from '../../src/activities/curation.ts';
import type { TaskResult } from '../../src/activities/task-outcome.ts';
import type { AnswerValidation } from '../../src/activities/training-types.ts';
import { adapterSpec, type AdapterSpec } from '../../src/contracts/adapters.ts';
import { UPDATES } from '../../src/contracts/messages.ts';
import type { JsonObject, JsonValue } from '../../src/contracts/records.ts';
import { hashOf } from '../../src/core/canonical/canonical.ts';
import type { Genome } from '../../src/core/evolution/genome.ts';
import { parseTaskType, type TaskType } from '../../src/core/validation/task-type.ts';
import { decodeAdapter } from '../../src/learning/adapters/file.ts';
import type { SweepResult } from '../../src/workflows/sweep.ts';
import type { TrainingResult, TrainingView } from '../../src/workflows/training.ts';
import { tinyModel, type TinyModel } from '../helpers/base-models.ts';
import { failureOf, openPlatform, stateText, until, type TestPlatform } from '../helpers/platform.ts';
import { NOTES, notes, openScene, RIGHT, type Note, type Scene } from './scene.ts';

/** Notes whose right output is a subject, of any shape: there are no labels. */
const SUBJECTS = parseTaskType({
  ...NOTES,
  name: 'subjects',
  output: { type: 'object' },
  scorer: { kind: 'exact', pointer: '/subject' },
});

describe('adapters in workflows', function () {
  this.timeout(180_000);
  let platform: TestPlatform;
  let scene: Scene;
  let tiny: TinyModel;
  let dataset: DatasetSummary;

  before(async () => {
    tiny = await tinyModel('encoder');
    platform = await openPlatform({ modelsManifest: tiny.manifest });
    await platform.work();
    scene = await openScene(platform, RIGHT);
    await scene.serve('train', notes(160));
    dataset = await platform.execute('curationWorkflow', { ...scene.subject });
    await tiny.register(platform.stores, scene.project);
  });

  const spec = (more: Partial<AdapterSpec> = {}): AdapterSpec =>
    adapterSpec.parse({
      ...{ kind: 'adapter', name: 'tiny-lora', base: tiny.name, task: 'classification', price: 10 },
      ...{ targets: ['query', 'value'], learningRate: 0.02, steps: 30, batch: 8, maxTokens: 32, evaluateEvery: 10 },
      ...more,
    });
  const input = (more: object): object => ({ ...scene.subject, datasetId: dataset.id, ...more });
  const trainOne = (own: AdapterSpec) => input({ adapters: [own], variants: [own.name] });

  it('are trained, registered by content with what they came from, and tell their loss while they learn', async () => {
    const handle = await platform.start('trainingWorkflow', trainOne(spec()));
    const { models } = (await handle.result()) as TrainingResult;
    const record = (await platform.stores.models.get(scene.project, models[0]!.id))!;
    assert.equal(record.artifact.sha256, models[0]!.id);
    assert.deepEqual(record.spec, { ...spec(), seed: 'chimera' });
    const adapter = decodeAdapter(await platform.stores.artifacts.get(record.artifact));
    assert.deepEqual(adapter.head?.labels, ['note', 'offer']);
    assert.equal(adapter.maxTokens, 32);
    const { curves } = await handle.query<TrainingView>('progress');
    const curve = curves['tiny-lora']!;
    assert.ok(curve.length >= 10, `${curve.length} points`);
    assert.ok(curve.at(-1)!.loss < curve[0]!.loss, 'it learns');
    assert.deepEqual(
      curve.flatMap(({ look }) => (look === undefined ? [] : [look.step])),
      [10, 20, 30],
    );
    assert.match(await stateText(handle), /model tiny-lora: balanced accuracy [\d.]+ % on validation, price 10/);
  });

  it('come out the same where the training was paused and went on from its checkpoint', async () => {
    const own = spec({ name: 'undisturbed', steps: 300, evaluateEvery: 100 });
    const undisturbed = await platform.execute<TrainingResult>('trainingWorkflow', trainOne(own));
    const handle = await platform.start('trainingWorkflow', trainOne({ ...own, name: 'paused' }));
    const steps = async (): Promise<number> => {
      const { curves } = await handle.query<TrainingView>('progress');
      return curves['paused']?.at(-1)?.step ?? 0;
    };
    await until('some steps', async () => (await steps()) >= 12);
    await handle.executeUpdate(UPDATES.pause, { args: [{ by: 'ada' }] });
    assert.equal((await handle.query<TrainingView>('progress')).paused, true);
    assert.match(await stateText(handle), /^\*\*paused\*\*[^]*paused by ada/);
    await until('the lease to be given back', async () => {
      const lines = await platform.stores.ledger.list(scene.project);
      return lines.some(({ holder }) => holder === handle.workflowId);
    });
    const whole = { ...own, name: 'paused', seed: 'chimera' };
    const run = hashOf({ datasetId: dataset.id, spec: whole }).slice(0, 32);
    const checkpoint = (): Promise<unknown> => platform.stores.snapshots.latest(scene.project, run);
    assert.ok((await checkpoint()) !== undefined, 'it stands at a checkpoint');
    await handle.executeUpdate(UPDATES.resume, { args: [{ by: 'ada' }] });
    const { models } = (await handle.result()) as TrainingResult;
    assert.equal(models[0]!.id, undisturbed.models[0]!.id);
    assert.equal(await checkpoint(), undefined, 'nobody needs it once the adapter is registered');
  });

  it('go on where a pause ends before the training has stopped for it', async () => {
    const handle = await platform.start('trainingWorkflow', trainOne(spec({ name: 'hurried', steps: 120 })));
    const view = (): Promise<TrainingView> => handle.query<TrainingView>('progress');
    await until('some steps', async () => ((await view()).curves['hurried']?.at(-1)?.step ?? 0) >= 12);
    const paused = handle.executeUpdate(UPDATES.pause, { args: [{ by: 'ada' }] });
    await until('the pause', async () => (await view()).paused);
    await handle.executeUpdate(UPDATES.resume, { args: [{ by: 'ada' }] });
    await paused;
    assert.equal(((await handle.result()) as TrainingResult).models.length, 1);
  });

  it('are asked by agents of the stream like any other model', async () => {
    const { models } = await platform.execute<TrainingResult>('trainingWorkflow', trainOne(spec()));
    const use = { name: 'tiny', input: '/text', score: 1, threshold: 0.5, positive: 'offer', negative: 'note' };
    const labels = ['note', 'offer'];
    const genome: Genome = { labels, rules: [], otherwise: { ask: true }, default: 'note', model: use };
    const asking = await openScene(platform, genome, { models: { tiny: models[0]!.id } });
    const [offer] = await asking.admit([{ text: 'tree buy stone' }], { prefix: 'asked' });
    const { project } = asking;
    const result = await platform.execute<TaskResult>('taskWorkflow', { project, taskId: offer!.taskId });
    assert.equal(result.status, 'completed');
    assert.equal(result.modelCalls, 1);
    assert.match((result.output as { why: string }).why, /^model tiny: score/);
  });

  it('are offered to evolution, which weighs them against their price', async () => {
    const training = await platform.execute<TrainingResult>('trainingWorkflow', {
      ...input({ adapters: [spec()], variants: ['words', 'tiny-lora'] }),
    });
    const search = await platform.execute<{ text: string; evaluations: number }>('evolutionWorkflow', {
      ...input({ modelIds: training.models.map(({ id }) => id), population: 8, generations: 2 }),
    });
    assert.ok(search.evaluations > 0, search.text);
  });

  it('are merged with the one before them, are compared with it, and each merge is a model of its own', async () => {
    const own = spec({ name: 'growing', learningRate: 0.015 });
    const [before] = (await platform.execute<TrainingResult>('trainingWorkflow', trainOne(own))).models;
    await scene.serve('more', notes(80, { from: 160 }));
    const grown = await platform.execute<DatasetSummary>('curationWorkflow', { ...scene.subject });
    const { models } = await platform.execute<TrainingResult>('trainingWorkflow', {
      ...scene.subject,
      datasetId: grown.id,
      adapters: [own],
    });
    const merges = models.filter(({ name }) => name.startsWith('growing'));
    assert.deepEqual(
      merges.map(({ name }) => name),
      ['growing', 'growing-linear', 'growing-ties'],
    );
    const records = await Promise.all(
      merges.map(async ({ id }) => (await platform.stores.models.get(scene.project, id))!),
    );
    assert.equal((records[0]!.report['previous'] as { id: string }).id, before!.id);
    const parents = [before!.id, records[0]!.id];
    const files = await Promise.all(records.map(({ artifact }) => platform.stores.artifacts.get(artifact)));
    assert.deepEqual(
      files.map((bytes) => decodeAdapter(bytes).rank),
      [8, 16, 8],
    );
    for (const { spec: merged } of records.slice(1)) {
      assert.deepEqual((merged['merge'] as { parents: string[] }).parents, parents);
    }
  });

  it('are trained again on the same data, and merged with nothing that cannot be: neither themselves nor other layers', async () => {
    const own = spec({ name: 'again', learningRate: 0.017 });
    const all = input({ adapters: [own] });
    await platform.execute('trainingWorkflow', all);
    const again = await platform.execute<TrainingResult>('trainingWorkflow', all);
    assert.deepEqual(
      again.models.filter(({ name }) => name.startsWith('again')).map(({ name }) => name),
      ['again'],
    );
    await scene.serve('others', notes(80, { from: 240 }));
    const grown = await platform.execute<DatasetSummary>('curationWorkflow', { ...scene.subject });
    const handle = await platform.start('trainingWorkflow', {
      ...{ ...scene.subject, datasetId: grown.id },
      adapters: [{ ...own, targets: ['query'] }],
    });
    const { models } = (await handle.result()) as TrainingResult;
    assert.ok(models.every(({ name }) => !name.startsWith('again-')));
    assert.match(await stateText(handle), /left again-linear out: [^]*the first adapter updates this layer/);
  });

  it('are looked for where candidates stop early, too', async () => {
    const adapter = spec({ name: 'stale', steps: 48, evaluateEvery: 2, patience: 1 });
    const { rounds } = await platform.execute<SweepResult>(
      'sweepWorkflow',
      input({ adapter, learningRates: [0.5, 0.3] }),
    );
    assert.ok(rounds[0]!.every(({ step, loss }) => step <= 24 && loss !== undefined));
    const few = await failureOf(
      await platform.start(
        'sweepWorkflow',
        input({ adapter: { ...adapter, steps: 2 }, learningRates: [0.5, 0.3, 0.1] }),
      ),
    );
    assert.match(few.message, /\/adapter\/steps: 3 candidates are halved until one is left: that takes 4 steps/);
  });

  it('are looked for by successive halving: a rate that diverges goes first, the last one is trained to its end', async () => {
    const { best, model, rounds } = await platform.execute<SweepResult>(
      'sweepWorkflow',
      input({ adapter: spec({ name: 'swept', steps: 24 }), learningRates: [0.00001, 0.02, 0.01, 0.001] }),
    );
    assert.deepEqual(
      rounds.map((round) => [round.length, round[0]!.step]),
      [
        [4, 6],
        [2, 12],
      ],
    );
    const kept = rounds[1]!.map(({ learningRate }) => learningRate);
    assert.ok(!kept.includes(0.00001), 'what learns nothing does not go on');
    assert.equal(model.name, best.name);
    assert.ok(kept.includes(best.learningRate));
    assert.ok((await platform.stores.models.get(scene.project, model.id)) !== undefined);
  });

  it('fail at once where their base model is not in the project, or they do not fit it, naming every problem', async () => {
    const missing = await failureOf(await platform.start('trainingWorkflow', trainOne(spec({ base: 'nowhere' }))));
    assert.equal(missing.code, 'CHIMERA_NOT_FOUND');
    assert.match(missing.message, /base model .* nowhere/);
    const unfit = await failureOf(
      await platform.start('trainingWorkflow', trainOne(spec({ name: 'unfit', task: 'causal', targets: ['wings'] }))),
    );
    assert.equal(unfit.code, 'CHIMERA_INVALID_INPUT');
  });
});

describe('adapters of decoders in workflows', function () {
  this.timeout(180_000);
  let platform: TestPlatform;
  let tiny: TinyModel;
  let scene: Scene;
  let dataset: DatasetSummary;

  before(async () => {
    tiny = await tinyModel('decoder');
    platform = await openPlatform({ modelsManifest: tiny.manifest });
    await platform.work();
    ({ scene, dataset } = await curated(NOTES, notes(160)));
  });

  /** A stream of its own with a dataset of what was right for these notes. */
  async function curated(type: TaskType, items: readonly Note[]): Promise<{ scene: Scene; dataset: DatasetSummary }> {
    const own = await openScene(platform, RIGHT, { type });
    await own.serve('train', items);
    await tiny.register(platform.stores, own.project);
    return { scene: own, dataset: await platform.execute('curationWorkflow', { ...own.subject }) };
  }

  const spec = (more: Partial<AdapterSpec> = {}): AdapterSpec =>
    adapterSpec.parse({
      ...{ kind: 'adapter', name: 'says', base: tiny.name, task: 'causal', targets: ['q_proj', 'v_proj'] },
      ...{ learningRate: 0.01, steps: 20, batch: 8, maxTokens: 48 },
      ...more,
    });
  const trainOne = (adapter: AdapterSpec, from = { scene, dataset }): object => ({
    ...{ ...from.scene.subject, datasetId: from.dataset.id, adapters: [adapter], variants: [adapter.name] },
  });
  const withSubject = (count: number, subject: JsonValue): Note[] =>
    notes(count).map(({ payload, expected }) => {
      const output: JsonObject & Note['expected'] = { ...expected, subject };
      return { payload, expected: output };
    });
  /** What a refused training says; it has asked for no device. */
  async function refusal(input: object): Promise<{ code: string; message: string }> {
    const handle = await platform.start('trainingWorkflow', input);
    const { code, message } = await failureOf(handle);
    assert.doesNotMatch(await stateText(handle), /lease/);
    return { code, message };
  }

  it('learn to answer beside a 4-bit base, and tell how much better they foresee right answers', async () => {
    const own = spec({ precision: '4bit' });
    const handle = await platform.start('trainingWorkflow', trainOne(own));
    const { models } = (await handle.result()) as TrainingResult;
    const record = (await platform.stores.models.get(scene.project, models[0]!.id))!;
    assert.deepEqual(record.spec, { ...own, seed: 'chimera' });
    const adapter = decodeAdapter(await platform.stores.artifacts.get(record.artifact));
    assert.equal(adapter.task, 'causal');
    assert.equal(adapter.head, undefined);
    const { loss, lossBefore } = models[0]!.validation as AnswerValidation;
    assert.ok(loss < lossBefore - 0.5, `${lossBefore} to ${loss}`);
    assert.deepEqual(record.report['validation'], { loss, lossBefore });
    assert.equal(record.report['examples'], dataset.counts.train);
    assert.match(
      await stateText(handle),
      /model says: validation loss [\d.]+ before and [\d.]+ after, in nats a token, price 1/,
    );
  });

  it('learn to prefer the right label to another one', async () => {
    const own = spec({ name: 'prefers', task: 'preference', steps: 60 });
    // Nearly always the same label is right: that much a tiny decoder can learn.
    const most = notes(400).filter(({ expected }, i) => expected.label === 'note' || i % 8 === 0);
    const handle = await platform.start('trainingWorkflow', trainOne(own, await curated(NOTES, most)));
    const { models } = (await handle.result()) as TrainingResult;
    const { loss, lossBefore, accuracy } = models[0]!.validation as AnswerValidation;
    assert.ok(Math.abs(lossBefore - Math.LN2) < 1e-4, 'the base prefers neither, by its own measure');
    assert.ok(loss < lossBefore - 0.1, `${lossBefore} to ${loss}`);
    assert.ok(accuracy! > 0.7, `${accuracy}`);
    assert.match(await stateText(handle), /model prefers: validation loss .* % of preferences hold, price 1/);
  });

  it('learn any right output, without labels: then nothing but them is trained', async () => {
    const from = await curated(SUBJECTS, withSubject(80, { about: ['trees'] }));
    const { models } = await platform.execute<TrainingResult>('trainingWorkflow', {
      ...{ ...from.scene.subject, datasetId: from.dataset.id, adapters: [spec()] },
    });
    assert.deepEqual(
      models.map(({ name }) => name),
      ['says'],
    );
    const { loss, lossBefore } = models[0]!.validation as AnswerValidation;
    assert.ok(loss < lossBefore - 0.5, `${lossBefore} to ${loss}`);

    const preference = await refusal(trainOne(spec({ task: 'preference' }), from));
    assert.equal(preference.code, 'CHIMERA_INVALID_INPUT');
    assert.match(preference.message, /^the training is not valid:\n.*task type subjects is scored by "exact".*$/);
    const linear = await refusal({ ...trainOne(spec(), from), variants: ['words', 'word-pairs'] });
    assert.equal(linear.code, 'CHIMERA_INVALID_INPUT');
    assert.match(linear.message, /^the training is not valid:\n.*it has no labels that a classifier could learn$/);
  });

  it('are refused before any lease where there is no text, or no example of a right answer', async () => {
    const { text: _, ...mute } = NOTES;
    const textless = await refusal(trainOne(spec(), await curated(mute, notes(60))));
    assert.equal(textless.code, 'CHIMERA_INVALID_INPUT');
    assert.match(textless.message, /^the training is not valid:\n.*task type notes has no text pointer.*$/);
    const answerless = await refusal(trainOne(spec(), await curated(SUBJECTS, withSubject(60, ''))));
    assert.equal(answerless.code, 'CHIMERA_NO_DATA');
    assert.match(answerless.message, /none of \d+ train examples of the dataset has a right answer at "\/subject"$/);
  });

  it('are neither merged nor compared with those before them', async () => {
    const from = await curated(NOTES, notes(80));
    const all = { ...from.scene.subject, datasetId: from.dataset.id, adapters: [spec({ name: 'grows' })] };
    await platform.execute('trainingWorkflow', { ...all, variants: ['grows'] });
    await from.scene.serve('more', notes(80, { from: 80 }));
    const grown = await platform.execute<DatasetSummary>('curationWorkflow', { ...from.scene.subject });
    const { models } = await platform.execute<TrainingResult>('trainingWorkflow', { ...all, datasetId: grown.id });
    const own = models.filter(({ name }) => name.startsWith('grows'));
    assert.deepEqual(
      own.map(({ name }) => name),
      ['grows'],
    );
    const record = await platform.stores.models.get(from.scene.project, own[0]!.id);
    assert.ok(!('previous' in record!.report));
  });

  it('are no models that evolution could ask for labels', async () => {
    const { models } = await platform.execute<TrainingResult>('trainingWorkflow', {
      ...trainOne(spec()),
      variants: ['words', 'says'],
    });
    const modelIds = models.map(({ id }) => id);
    const handle = await platform.start('evolutionWorkflow', { ...scene.subject, datasetId: dataset.id, modelIds });
    const { code, message } = await failureOf(handle);
    assert.equal(code, 'CHIMERA_INVALID_INPUT');
    assert.match(message, /\/modelIds\/1: says@\w{8} is a decoder's adapter, which gives no labels$/);
  });

  it('say what is wrong where their base is no decoder, or their layers are none of it', async () => {
    const labels = await failureOf(
      await platform.start('trainingWorkflow', trainOne(spec({ task: 'classification' }))),
    );
    assert.match(labels.message, /a classification task needs a base that is an encoder/);
    const layers = await failureOf(await platform.start('trainingWorkflow', trainOne(spec({ targets: ['wings'] }))));
    assert.equal(layers.code, 'CHIMERA_INVALID_INPUT');
    assert.match(layers.message, /wings/);
  });
});
