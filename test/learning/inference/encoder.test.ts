import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { exp } from '../../../src/core/stats/math.ts';
import type { Adapter } from '../../../src/learning/adapters/types.ts';
import { ENCODER, seededAdapter, tinyEngine, trainingLogits } from './tiny-models.ts';

const TEXTS = ['a', 'the second text is longer', 'and the third one is the longest of all of them', 'four'];
const model = { base: 'encoder' };

function near(actual: ArrayLike<number>, expected: ArrayLike<number>, within: number): void {
  equal(actual.length, expected.length);
  const worst = Math.max(...Array.from(actual, (value, i) => Math.abs(value - expected[i]!)));
  ok(worst <= within, `differs by ${worst}`);
}

describe('texts through a served encoder', () => {
  it('give vectors of length 1, and a batch gives what each text alone gives', async () => {
    const engine = tinyEngine();
    const { vectors, usage } = await engine.embed({ model, texts: TEXTS });
    for (const [i, text] of TEXTS.entries()) {
      const alone = await engine.embed({ model, texts: [text] });
      near(vectors[i]!, alone.vectors[0]!, 1e-5);
      near([Math.hypot(...vectors[i]!)], [1], 1e-6);
    }
    const bytes = TEXTS.reduce((sum, { length }) => sum + length, 0);
    deepEqual(usage, { promptTokens: bytes + 2 * TEXTS.length, completionTokens: 0 });
    ok(Math.max(...vectors[0]!.map((value, i) => Math.abs(value - vectors[1]![i]!))) > 0.01);
    await engine.close();
  });

  it('are classified as the training graph classifies them', async () => {
    for (const options of [
      {},
      { targets: [] },
      { rank: 5, targets: ['key', 'output.dense'], labels: ['x', 'y', 'z'] },
    ]) {
      const one = seededAdapter(ENCODER.base, 'seed', options);
      const engine = tinyEngine([one]);
      const { labels, scores } = await engine.classify({ model: { ...model, adapter: one.name }, texts: TEXTS });
      deepEqual(labels, one.adapter.head!.labels);
      for (const [i, text] of TEXTS.entries()) {
        const logits = await trainingLogits(ENCODER, one, text);
        const weights = Array.from(logits, (logit) => exp(logit - Math.max(...logits)));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        near(
          scores[i]!,
          weights.map((weight) => weight / total),
          1e-5,
        );
      }
      await engine.close();
    }
  });

  it('share batches whatever adapters they have: fifty of different ranks, scalings and labels', async () => {
    const adapters = Array.from({ length: 50 }, (_, i) =>
      seededAdapter(ENCODER.base, `adapter ${i}`, {
        ...{ rank: 1 + (i % 8), alpha: 1 + (i % 5) },
        labels: i % 2 === 0 ? ['a', 'b'] : ['a', 'b', 'c'],
      }),
    );
    const engine = tinyEngine(adapters);
    const ask = ({ name }: { name: string }, i: number) =>
      engine.classify({ model: { ...model, adapter: name }, texts: [TEXTS[i % TEXTS.length]!] });
    const together = await Promise.all(adapters.map(ask));
    for (const [i, adapter] of adapters.entries()) {
      near(together[i]!.scores[0]!, (await ask(adapter, i)).scores[0]!, 1e-6);
    }
    equal(new Set(together.map(({ scores }) => scores[0]!.join())).size, 50);
    await engine.close();
  });

  it('are answered from what is kept where model, adapter and tokens are the same', async () => {
    let loads = 0;
    const one = seededAdapter(ENCODER.base, 'one');
    const other = seededAdapter(ENCODER.base, 'other');
    const loadAdapter = async (sha256: string): Promise<Adapter> => {
      loads++;
      return (sha256 === one.name ? one : other).adapter;
    };
    const engine = tinyEngine([], { cacheBytes: 1e6, loadAdapter });
    const embed = (adapter?: string) =>
      engine.embed({ model: adapter === undefined ? model : { ...model, adapter }, texts: ['again'] });
    const [plain, first, second] = [await embed(), await embed(one.name), await embed(other.name)];
    deepEqual([await embed(), await embed(one.name), await embed(other.name)], [plain, first, second]);
    equal(loads, 2);
    ok(Math.abs(plain.vectors[0]![0]! - first.vectors[0]![0]!) > 1e-4);
    ok(Math.abs(second.vectors[0]![0]! - first.vectors[0]![0]!) > 1e-4);
    await engine.close();
  });

  it('are answered rightly where memory is enough for one graph only', async () => {
    const adapters = ['query', 'key', 'value'].map((target) =>
      seededAdapter(ENCODER.base, target, { targets: [target], rank: 4 }),
    );
    const [wide, narrow] = [tinyEngine(adapters), tinyEngine(adapters, { memoryBytes: 1 })];
    for (let round = 0; round < 3; round++) {
      for (const { name } of adapters) {
        const request = { model: { ...model, adapter: name }, texts: TEXTS };
        deepEqual(await narrow.classify(request), await wide.classify(request));
      }
    }
    await Promise.all([wide.close(), narrow.close()]);
  });

  it('are cut to what the model takes', async () => {
    const engine = tinyEngine();
    const { usage } = await engine.embed({ model, texts: ['x'.repeat(500)] });
    equal(usage.promptTokens, 64);
    await engine.close();
  });

  it('are refused with an adapter that is poisoned, foreign or absent, and the next one is served', async () => {
    const good = seededAdapter(ENCODER.base, 'good');
    const poison = (name: string, change: Partial<Adapter>) => ({ name, adapter: { ...good.adapter, ...change } });
    const [target, ...rest] = good.adapter.targets;
    const engine = tinyEngine([
      good,
      poison('nan', {
        targets: [{ ...target!, a: target!.a.map((value, i) => (i === 7 ? Number.NaN : value)) }, ...rest],
      }),
      poison('foreign', { base: { name: 'encoder', sha256: '0'.repeat(64) } }),
      poison('wide', { targets: [{ ...target!, outputs: 31 }, ...rest] }),
      poison('huge', { targets: good.adapter.targets.map((one) => ({ ...one, b: one.b.map(() => 3e38) })) }),
    ]);
    const ask = (adapter: string) => engine.classify({ model: { ...model, adapter }, texts: TEXTS });
    for (const [name, message] of [
      ['nan', /query\/a: holds a value that is not finite/],
      ['foreign', /trained beside other weights/],
      ['wide', /it updates a matrix \[31, 32\]/],
      ['huge', /it gives values that are not finite/],
    ] as const) {
      await rejects(ask(name), { code: 'CHIMERA_INVALID_INPUT', message });
    }
    await rejects(ask('absent'), { code: 'CHIMERA_NOT_FOUND' });
    await rejects(engine.embed({ model: { base: 'nobody' }, texts: TEXTS }), { code: 'CHIMERA_NOT_FOUND' });
    await rejects(engine.embed({ model: { base: 'decoder' }, texts: TEXTS }), { code: 'CHIMERA_INVALID_INPUT' });
    equal((await ask(good.name)).scores.length, TEXTS.length);
    await engine.close();
  });

  it('are run at once where one comes alone, and wait for others after it had company', async () => {
    const engine = tinyEngine([], { windowMs: 600_000, batchTexts: 2 });
    equal((await engine.embed({ model, texts: ['alone'] })).vectors.length, 1);
    equal((await engine.embed({ model, texts: ['one', 'another'] })).vectors.length, 2);
    let answered = false;
    const waiting = engine.embed({ model, texts: ['waits'] }).finally(() => (answered = true));
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    equal(answered, false);
    await Promise.all([waiting, engine.embed({ model, texts: ['fills the batch'] })]);
    await engine.close();
  });

  it('wait for each other within a window, and those that are cancelled are left out', async () => {
    const engine = tinyEngine([], { windowMs: 5 });
    // From here on the queue has seen company.
    await engine.embed({ model, texts: TEXTS });
    const cancel = new AbortController();
    const cancelled = rejects(engine.embed({ model, texts: TEXTS, signal: cancel.signal }), {
      code: 'CHIMERA_CANCELLED',
    });
    const other = engine.embed({ model, texts: ['other'] });
    cancel.abort();
    await cancelled;
    equal((await other).vectors.length, 1);
    await engine.close();
  });
});
