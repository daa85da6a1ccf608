import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { linearShape } from '../../../src/learning/architecture/base.ts';
import type { Values } from '../../../src/learning/runtime/session.ts';
import { dropoutInputs, examplesAt, microBatch, predictedSizes } from '../../../src/learning/training/batches.ts';
import type { TokenExample } from '../../../src/learning/training/examples.ts';
import { dropoutSteps, keepInput } from '../../../src/learning/training/graphs.ts';
import { layoutOf } from '../../../src/learning/training/trainables.ts';
import { TINY_DECODER } from '../tiny.ts';
import { examplesOf, specOf } from './samples.ts';

const numbers = (inputs: Values, name: string): number[] =>
  Array.from(inputs[name]!.data as Float32Array | BigInt64Array, Number);

describe('the order of examples', () => {
  const examples = examplesOf('causal', 10);
  const orderOf = (seed: string, epoch: number): number[] =>
    Array.from({ length: 5 }, (_, step) =>
      examplesAt(examples, { seed, batch: 2, accumulation: 1 }, epoch * 5 + step, 0),
    )
      .flat()
      .map((example) => examples.indexOf(example));

  it('has every example once an epoch, and another order in each', () => {
    const epochs = [0, 1, 2].map((epoch) => orderOf('a', epoch));
    for (const order of epochs)
      assert.deepEqual(
        order.toSorted((a, b) => a - b),
        [...examples.keys()],
      );
    assert.notDeepEqual(epochs[0], epochs[1]);
    assert.notDeepEqual(epochs[1], epochs[2]);
  });

  it('is a function of the seed', () => {
    assert.deepEqual(orderOf('a', 7), orderOf('a', 7));
    assert.notDeepEqual(orderOf('a', 0), orderOf('b', 0));
  });

  it('is the same in whatever steps and parts it is taken, across epochs too', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }), (batch, accumulation) => {
        const taken = Array.from({ length: 6 * accumulation }, (_, i) =>
          examplesAt(examples, { seed: 'a', batch, accumulation }, Math.floor(i / accumulation), i % accumulation),
        ).flat();
        const whole = examplesAt(examples, { seed: 'a', batch: taken.length, accumulation: 1 }, 0, 0);
        assert.deepEqual(taken, whole);
      }),
      { numRuns: 30 },
    );
  });
});

describe('batches of labelled texts', () => {
  const examples = examplesOf('classification', 3);
  const spec = specOf('classification', { maxTokens: 50 });

  it('are padded to a length for which there is a graph, with weight 0 and out of sight', () => {
    const { bucket, inputs, weight } = microBatch(examples, spec, 4);
    assert.deepEqual(bucket, { batch: 4, length: 16, predicted: 0 });
    assert.equal(weight, 3);
    assert.deepEqual(numbers(inputs, 'weights'), [1, 1, 1, 0]);
    assert.deepEqual(numbers(inputs, 'labels'), [0, 1, 0, 0]);
    const tokens = numbers(inputs, 'tokens');
    const mask = numbers(inputs, 'mask');
    examples.forEach(({ rows }, i) => {
      const own = rows[0]!.tokens;
      const rest = 16 - own.length;
      assert.deepEqual(tokens.slice(16 * i, 16 * i + 16), [...own, ...Array<number>(rest).fill(0)]);
      assert.deepEqual(mask.slice(16 * i, 16 * i + 16), [...own.map(() => 1), ...Array<number>(rest).fill(0)]);
    });
  });

  it('are never longer than the specification allows', () => {
    const long = [{ rows: [{ tokens: Array<number>(50).fill(5), given: 50 }], label: 0 }];
    assert.equal(microBatch(long, spec, 1).bucket.length, 50);
  });
});

describe('batches of texts', () => {
  const row = (length: number, given: number, from: number): TokenExample => ({
    rows: [{ tokens: Array.from({ length }, (_, i) => from + i), given }],
  });

  it('ask for each token of an answer at the token before it', () => {
    const { bucket, inputs, weight } = microBatch([row(5, 2, 10), row(4, 1, 50)], specOf('causal'), 2);
    assert.equal(weight, 6);
    assert.deepEqual(bucket, { batch: 2, length: 16, predicted: 16 });
    const none = Array.from({ length: 10 }, () => 0);
    assert.deepEqual(numbers(inputs, 'places'), [1, 2, 3, 16, 17, 18, ...none]);
    assert.deepEqual(numbers(inputs, 'labels'), [12, 13, 14, 51, 52, 53, ...none]);
    assert.deepEqual(numbers(inputs, 'weights'), [1, 1, 1, 1, 1, 1, ...none]);
    assert.deepEqual(numbers(inputs, 'segments').slice(0, 6), [0, 0, 0, 0, 0, -1]);
  });

  it('predict as many tokens as the most that rows of a length have, so that each length is one graph', () => {
    const spec = specOf('causal', { maxTokens: 64 });
    const short = [3, 9, 5].map((answer) => [row(14, 14 - answer, 1)]);
    const long = [[row(20, 2, 1), row(30, 2, 1)]];
    const sizes = predictedSizes([...short, ...long], spec);
    assert.deepEqual(
      [...sizes],
      [
        [16, 16],
        [32, 48],
      ],
    );
    const predicted = (examples: TokenExample[]): number => microBatch(examples, spec, 2, sizes).bucket.predicted;
    assert.deepEqual([...short, ...long].map(predicted), [16, 16, 16, 48]);
    // What nobody measured has a size of its own.
    assert.equal(predicted([row(30, 1, 1), row(30, 1, 1)]), 64);
  });

  it('are packed without losing a token, each text with positions of its own', () => {
    const lengths = fc.array(fc.integer({ min: 2, max: 16 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 0, max: 1 }), (all, extra) => {
        const examples = all.map((length, i) => row(length, 1 + (extra % (length - 1)), 20 * i + 1));
        const { bucket, inputs, weight } = microBatch(examples, specOf('causal', { packing: true }), all.length);
        const [tokens, positions, segments] = ['tokens', 'positions', 'segments'].map((name) => numbers(inputs, name));
        const found = textsOf(bucket.length, tokens!, positions!, segments!);
        const expected = examples.map(({ rows }) => rows[0]!.tokens.join(' '));
        assert.deepEqual(found.toSorted(), expected.toSorted());
        assert.ok(bucket.batch <= all.length);
        const predicted = examples.reduce((sum, { rows: [one] }) => sum + one!.tokens.length - one!.given, 0);
        assert.equal(weight, predicted);
        const [places, labels, weights] = ['places', 'labels', 'weights'].map((name) => numbers(inputs, name));
        assert.equal(
          weights!.reduce((a, b) => a + b),
          predicted,
        );
        weights!.forEach((counts, i) => {
          const place = places![i]!;
          if (counts === 0) return;
          assert.equal(labels![i], tokens![place + 1]);
          assert.equal(segments![place], segments![place + 1], 'a text never predicts the one behind it');
        });
      }),
      { numRuns: 100 },
    );
  });

  it('put preferences in pairs, and each token with the answer that it is of', () => {
    const pair: TokenExample = {
      rows: [
        { tokens: [1, 2, 3, 4], given: 2 },
        { tokens: [1, 2, 5], given: 2 },
      ],
    };
    const { bucket, inputs, weight } = microBatch([pair], specOf('preference'), 2);
    assert.deepEqual(bucket, { batch: 2, length: 16, predicted: 16 });
    assert.equal(weight, 1);
    assert.deepEqual(numbers(inputs, 'weights'), [1, 0]);
    assert.deepEqual(numbers(inputs, 'labels').slice(0, 4), [3, 4, 5, 0]);
    const owners = numbers(inputs, 'owners');
    const ones = owners.flatMap((value, at) => (value === 1 ? [[Math.floor(at / 16), at % 16]] : []));
    assert.deepEqual(ones, [
      [0, 0],
      [0, 1],
      [1, 2],
    ]);
  });
});

/** The texts in packed rows, read back by their segments; positions must count from 0 in each. */
function textsOf(length: number, tokens: number[], positions: number[], segments: number[]): string[] {
  const texts = new Map<string, number[]>();
  tokens.forEach((token, at) => {
    if (segments[at] === -1) return;
    const key = `${Math.floor(at / length)}/${segments[at]}`;
    const text = texts.get(key) ?? [];
    assert.equal(positions[at], text.length);
    texts.set(key, [...text, token]);
  });
  return [...texts.values()].map((text) => text.join(' '));
}

describe('dropout', () => {
  const spec = specOf('causal', { dropout: 0.1, batch: 8 });
  const layout = layoutOf(TINY_DECODER, spec, 0);
  const bucket = { batch: 8, length: 64, predicted: 4 };
  const masks = (step: number, micro = 0, seed = spec.seed): Values =>
    dropoutInputs(TINY_DECODER, { ...spec, seed }, layout, bucket, step, micro);

  it('leaves out its share of the inputs of each layer, in steps of 1/256', () => {
    assert.equal(dropoutSteps(spec), 26);
    const inputs = masks(0);
    assert.deepEqual(Object.keys(inputs), layout.modules.map(keepInput));
    for (const module of layout.modules) {
      const { data, dims } = inputs[keepInput(module)]!;
      assert.deepEqual([...dims], [8, 64, linearShape(TINY_DECODER, module).inputs]);
      const values = data as Uint8Array;
      const left = values.filter((value) => value === 0).length / values.length;
      const expected = 26 / 256;
      // Five standard deviations of a binomial share.
      const bound = 5 * Math.sqrt((expected * (1 - expected)) / values.length);
      assert.ok(Math.abs(left - expected) < bound, `${module}: ${left}`);
      assert.ok(values.every((value) => value === 0 || value === 1));
    }
  });

  it('differs by step, by part of a step, by layer and by seed, and is the same again', () => {
    const first = layout.modules[0]!;
    const second = layout.modules.find(
      (module) =>
        module !== first && linearShape(TINY_DECODER, module).inputs === linearShape(TINY_DECODER, first).inputs,
    )!;
    const of = (inputs: Values, module = first): string => String(inputs[keepInput(module)]!.data);
    const drawn = [of(masks(0)), of(masks(1)), of(masks(0, 1)), of(masks(0), second), of(masks(0, 0, 'other'))];
    // Without accumulation there is one part a step: its second one would be the next step's first.
    assert.equal(drawn[2], drawn[1]);
    assert.equal(new Set(drawn).size, 4);
    assert.equal(of(masks(0)), drawn[0]);
    const parts = dropoutInputs(TINY_DECODER, { ...spec, accumulation: 2 }, layout, bucket, 0, 1);
    assert.notEqual(of(parts), drawn[0]);
  });

  it('asks for nothing where there is none', () => {
    assert.deepEqual(dropoutInputs(TINY_DECODER, specOf('causal'), layout, bucket, 0, 0), {});
  });
});
