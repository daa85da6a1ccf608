import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { AdapterSpec } from '../../../src/contracts/adapters.ts';
import { decodeTensorFile } from '../../../src/core/training/tensor-file.ts';
import type { Adapter } from '../../../src/learning/adapters/types.ts';
import { AdapterTrainer } from '../../../src/learning/training/trainer.ts';
import type { TrainerOptions } from '../../../src/learning/training/types.ts';
import { difference } from '../adapters/samples.ts';
import { examplesOf, optionsOf, runAll } from './samples.ts';

/** Trains to the end: every step's loss, and what came out. */
async function trained(options: TrainerOptions): Promise<{ losses: number[]; adapter: Adapter }> {
  const trainer = AdapterTrainer.create(options);
  const losses = (await runAll(trainer)).map(({ loss }) => loss);
  return { losses, adapter: trainer.adapter() };
}

const numbersOf = ({ targets, head }: Adapter): number[] =>
  [...targets.flatMap(({ a, b }) => [a, b]), ...(head === undefined ? [] : [head.weight, head.bias])].flatMap(
    (part) => [...part],
  );

/** Evaluates with what a run begins with. */
async function evaluated(options: TrainerOptions, of: 'adapter' | 'base'): Promise<{ loss: number }> {
  const trainer = AdapterTrainer.create(options);
  const result = await trainer.evaluate(of);
  await trainer.release();
  return result;
}

describe('training an adapter', () => {
  for (const task of ['classification', 'causal', 'preference'] as const) {
    for (const precision of ['fp32', '4bit'] as const) {
      it(`lowers the loss of a ${task} task on examples that it has not seen, beside a base in ${precision}`, async () => {
        const options = optionsOf(task, { precision, steps: 25 });
        const before = await evaluated(options, 'base');
        const trainer = AdapterTrainer.create(options);
        const { looks, step, done } = (await runAll(trainer)).at(-1)!;
        assert.deepEqual([step, done, looks.length], [25, true, 1]);
        const [{ loss, accuracy }] = looks as [(typeof looks)[0]];
        assert.ok(loss < 0.5 * before.loss, `${before.loss} became ${loss}`);
        if (task === 'causal') assert.equal(accuracy, undefined);
        else assert.ok(accuracy! > 0.8, `${accuracy}`);
      });
    }
  }

  it('begins at what the base says', async () => {
    for (const task of ['causal', 'preference', 'classification'] as const) {
      const options = optionsOf(task);
      assert.deepEqual(await evaluated(options, 'adapter'), await evaluated(options, 'base'));
    }
    // Nothing is preferred by who is the base itself: −log σ(0).
    const { loss } = await evaluated(optionsOf('preference'), 'adapter');
    assert.ok(Math.abs(loss - Math.LN2) < 1e-6);
  });

  for (const task of ['classification', 'causal', 'preference'] as const) {
    it(`takes the same step of a ${task} task in one batch of 8, in two of 4, and in eight of 1`, async () => {
      const runs = [];
      for (const [batch, accumulation] of [
        [8, 1],
        [4, 2],
        [1, 8],
      ] as const) {
        runs.push(await trained(optionsOf(task, { batch, accumulation, steps: 5 })));
      }
      const [whole, ...parts] = runs;
      for (const { losses, adapter } of parts) {
        assert.ok(difference(losses, whole!.losses) < 1e-6);
        assert.ok(difference(numbersOf(adapter), numbersOf(whole!.adapter)) < 1e-4);
      }
    });
  }

  it('has the same losses where texts are packed', async () => {
    const run = (packing: boolean) => trained(optionsOf('causal', { packing, batch: 6, steps: 6, maxTokens: 32 }));
    const [apart, packed] = [await run(false), await run(true)];
    assert.ok(difference(packed.losses, apart.losses) < 1e-5);
    assert.ok(difference(numbersOf(packed.adapter), numbersOf(apart.adapter)) < 1e-3);
  });

  it('trains a head alone, which learns less than with updates', async () => {
    const run = (targets: string[]) => trained(optionsOf('classification', { targets, steps: 15 }));
    const [head, both] = [await run([]), await run(['query', 'value'])];
    assert.deepEqual(head.adapter.targets, []);
    assert.ok(head.losses.at(-1)! < head.losses[0]!);
    assert.ok(both.losses.at(-1)! < head.losses.at(-1)!);
  });

  it('stops where nothing is better any more, and takes the best', async () => {
    const options = optionsOf('classification', { evaluateEvery: 1, patience: 3, steps: 50, learningRate: 0.03 });
    // What is right on the training examples is wrong on these: every step makes them worse.
    const validation = options.data.validation.map((example) => ({ ...example, label: 1 - example.label! }));
    const trainer = AdapterTrainer.create({ ...options, data: { ...options.data, validation } });
    const progress = (await runAll(trainer)).at(-1)!;
    const losses = progress.looks.map(({ loss }) => loss);
    const best = losses.indexOf(Math.min(...losses));
    assert.ok(progress.done && progress.step < 50);
    assert.equal(progress.looks.length - 1 - best, 3);
    assert.equal((await trainer.evaluate('adapter')).loss, losses[best]);
    await trainer.release();
  });

  it('looks as often as it is told, and at the end', async () => {
    const steps = async (more: Partial<AdapterSpec>): Promise<number[]> => {
      const all = await runAll(AdapterTrainer.create(optionsOf('causal', { steps: 7, ...more })));
      return all.at(-1)!.looks.map(({ step }) => step);
    };
    assert.deepEqual(await steps({ evaluateEvery: 3 }), [3, 6, 7]);
    assert.deepEqual(await steps({ evaluateEvery: 7 }), [7]);
    assert.deepEqual(await steps({}), [7]);
  });

  it('is the same without dropout and with less than it can draw, and another with dropout', async () => {
    const run = async (dropout: number) =>
      numbersOf((await trained(optionsOf('causal', { dropout, steps: 4 }))).adapter);
    const none = await run(0);
    assert.deepEqual(await run(0.001), none);
    assert.notDeepEqual(await run(0.5), none);
  });

  it('drops nothing on average: what is kept counts for what is not', async () => {
    const gradient = async (dropout: number): Promise<Float32Array> => {
      const spec = { dropout, batch: 16, accumulation: 16, clip: 0, steps: 1 };
      const options = optionsOf('causal', spec);
      // One example, 256 times. No update is there yet, so that its gradient is linear in what is kept.
      const data = { ...options.data, train: examplesOf('causal', 1) };
      const trainer = AdapterTrainer.create({ ...options, data });
      await runAll(trainer);
      return decodeTensorFile('CHAC', trainer.checkpoint(), 'the checkpoint').tensors.get('first') as Float32Array;
    };
    const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    const whole = await gradient(0);
    const share = dot(await gradient(0.5), whole) / dot(whole, whole);
    assert.ok(Math.abs(share - 1) < 0.1, `the mean gradient is ${share} of the whole one`);
  });

  it('never drops anything where it evaluates', async () => {
    const losses = await Promise.all(
      [0, 0.5].map(async (dropout) => (await evaluated(optionsOf('causal', { dropout }), 'adapter')).loss),
    );
    assert.equal(losses[0], losses[1]);
  });

  it('scales by alpha / √rank where it is rank-stabilised', async () => {
    const run = async (more: Partial<AdapterSpec>) => numbersOf((await trained(optionsOf('causal', more))).adapter);
    const stabilised = await run({ rank: 4, alpha: 8, rankStabilised: true });
    assert.deepEqual(stabilised, await run({ rank: 4, alpha: 16 }));
    assert.notDeepEqual(stabilised, await run({ rank: 4, alpha: 8 }));
  });

  it('holds a preference to the base by β: the loss is −log σ(β d), of one d for every β', async () => {
    const first = AdapterTrainer.create(optionsOf('preference', { steps: 3 }));
    await runAll(first);
    const gains = [];
    for (const beta of [0.1, 0.5]) {
      const options = optionsOf('preference', { beta });
      const data = { ...options.data, validation: options.data.validation.slice(0, 1) };
      const { loss } = await evaluated({ ...options, data, from: first.adapter() }, 'adapter');
      gains.push(-Math.log(Math.exp(loss) - 1) / beta);
    }
    assert.ok(gains[0]! > 0.1);
    assert.ok(difference(gains.slice(1), gains.slice(0, 1)) < 1e-4, String(gains));
  });

  it('goes on from the outputs of an adapter', async () => {
    for (const task of ['classification', 'causal', 'preference'] as const) {
      const first = AdapterTrainer.create(optionsOf(task));
      await runAll(first);
      const options = { ...optionsOf(task, { seed: 'another' }), from: first.adapter() };
      assert.deepEqual(await evaluated(options, 'adapter'), await first.evaluate('adapter'));
      assert.notDeepEqual(await evaluated(options, 'base'), await first.evaluate('adapter'));
      await first.release();
    }
  });

  it('takes texts as long as a base whose positions are no length of a graph', async () => {
    const options = optionsOf('classification', { maxTokens: 50, steps: 1 });
    const config = { ...options.base.config, positions: 50 };
    const table = options.base.tensors.get('embeddings.position_embeddings.weight')!;
    const own = { ...table, shape: [50, 32], data: (table.data as Uint8Array).slice(0, 50 * 32 * 4) };
    const tensors = new Map([...options.base.tensors, ['embeddings.position_embeddings.weight', own]]);
    const long = { rows: [{ tokens: Array<number>(50).fill(7), given: 50 }], label: 1 };
    const data = { ...options.data, train: [long], validation: examplesOf('classification', 2) };
    const { losses } = await trained({ ...options, base: { ...options.base, config, tensors }, data });
    assert.ok(Number.isFinite(losses[0]));
  });
});
