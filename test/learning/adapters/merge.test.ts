import assert from 'node:assert/strict';
import fc from 'fast-check';
import { linearMerge } from '../../../src/learning/adapters/linear-merge.ts';
import { lowRankFactors } from '../../../src/learning/adapters/low-rank.ts';
import { merged, unmerged } from '../../../src/learning/adapters/merge.ts';
import { ties, tiesMerge } from '../../../src/learning/adapters/ties-merge.ts';
import { scalingOf, type Adapter } from '../../../src/learning/adapters/types.ts';
import { denseUpdate } from '../../../src/learning/adapters/updates.ts';
import { quantizeBlocks4 } from '../../../src/learning/weights/quantize.ts';
import type { Weights } from '../../../src/learning/weights/types.ts';
import { TINY_DECODER, TINY_ENCODER, tinyWeights } from '../tiny.ts';
import { difference, refused, sampleAdapter } from './samples.ts';

const Q = 'model.layers.0.self_attn.q_proj';
const DOWN = 'model.layers.1.mlp.down_proj';
const weights = tinyWeights(TINY_DECODER);
const sample = (seed: string, rank = 2, alpha = 3): Adapter =>
  sampleAdapter(TINY_DECODER, seed, { modules: [Q, DOWN], rank, alpha });
const adapter = sample('merge');
const updateOf = (one: Adapter, index = 0): Float64Array => denseUpdate(one, one.targets[index]!);

describe('a merged adapter', () => {
  it('is W + scaling · B A in every element', () => {
    const { a, b, inputs } = adapter.targets[0]!;
    const before = weights.f32(`${Q}.weight`);
    const after = merged(weights, adapter).f32(`${Q}.weight`);
    for (const at of [0, 5, 100, after.length - 1]) {
      const [row, column] = [Math.floor(at / inputs), at % inputs];
      const product = b[2 * row]! * a[column]! + b[2 * row + 1]! * a[inputs + column]!;
      assert.equal(after[at], Math.fround(before[at]! + 1.5 * product));
    }
  });

  it('leaves all else as it was, and a merged layer no longer in blocks', () => {
    const packed: Weights = {
      ...weights,
      blocks4: (name) => {
        const [rows, columns] = weights.shape(name) as [number, number];
        return quantizeBlocks4(weights.f32(name), rows, columns, 32);
      },
    };
    const view = merged(packed, adapter);
    assert.deepEqual(view.names, weights.names);
    assert.equal(view.blocks4(`${Q}.weight`), undefined);
    assert.notEqual(view.blocks4('model.layers.1.self_attn.q_proj.weight'), undefined);
    for (const name of weights.names) {
      assert.deepEqual(view.shape(name), weights.shape(name));
      if (name !== `${Q}.weight` && name !== `${DOWN}.weight`) assert.equal(view.f32(name), weights.f32(name));
    }
  });

  it('is taken away again by unmerging, up to rounding', () => {
    const back = unmerged(merged(weights, adapter), adapter);
    for (const name of weights.names) assert.ok(difference(back.f32(name), weights.f32(name)) < 1e-6, name);
  });

  it('is refused by a base without its layers, or with them in another shape, each by name', () => {
    const other = tinyWeights({ ...TINY_DECODER, layers: 1, heads: 2 });
    refused(
      () => merged(other, adapter),
      /q_proj: it updates a matrix \[64, 64\], the base has \[32, 64\]/,
      /down_proj: the base has no/,
    );
  });
});

describe('a linear merge', () => {
  it('is linear: its update is the weighted sum of updates', () => {
    const weight = fc.integer({ min: -40, max: 40 }).map((tenths) => tenths / 10);
    const one = fc.record({ seed: fc.string(), rank: fc.integer({ min: 1, max: 4 }), weight });
    // Weights that are all 0 are refused.
    const some = fc
      .array(one, { minLength: 1, maxLength: 3 })
      .filter((parts) => parts.some((part) => part.weight !== 0));
    fc.assert(
      fc.property(some, (parts) => {
        const adapters = parts.map(({ seed, rank }) => sample(seed, rank));
        const merge = linearMerge(
          adapters,
          parts.map((part) => part.weight),
        );
        assert.equal(
          merge.rank,
          parts.reduce((sum, { rank }) => sum + rank, 0),
        );
        assert.equal(scalingOf(merge), 1);
        const updates = adapters.map((each) => updateOf(each));
        const sum = updates[0]!.map((_, at) =>
          parts.reduce((total, part, i) => total + part.weight * updates[i]![at]!, 0),
        );
        const size = Math.max(
          ...updates.map((update, i) => Math.abs(parts[i]!.weight) * Math.max(...update.map(Math.abs))),
        );
        updateOf(merge).forEach((value, at) => assert.ok(Math.abs(value - sum[at]!) <= 1e-6 * size));
      }),
      { numRuns: 30 },
    );
  });

  it('of one adapter with a power of two as its factor is exact', () => {
    const one = sample('exact', 2, 4);
    assert.deepEqual(
      updateOf(linearMerge([one], [0.5])),
      updateOf(one).map((value) => value / 2),
    );
  });

  it('sums heads with the same weights', () => {
    const options = { modules: ['encoder.layer.0.attention.self.query'], labels: ['no', 'yes'] };
    const [x, y] = ['x', 'y'].map((seed) => sampleAdapter(TINY_ENCODER, seed, options)) as [Adapter, Adapter];
    const { head } = linearMerge([x, y], [0.25, 0.75]);
    assert.deepEqual(head!.labels, ['no', 'yes']);
    assert.deepEqual(
      head!.bias,
      x.head!.bias.map((value, i) => 0.25 * value + 0.75 * y.head!.bias[i]!),
    );
    assert.equal(head!.weight[7], Math.fround(0.25 * x.head!.weight[7]! + 0.75 * y.head!.weight[7]!));
  });

  it('refuses adapters that differ, naming everything in which they do', () => {
    const other: Adapter = {
      ...sampleAdapter({ ...TINY_DECODER, intermediate: 32 }, 'other', {
        modules: [DOWN, 'model.layers.0.self_attn.v_proj'],
      }),
      base: { name: 'large', sha256: 'cd'.repeat(32) },
      head: { labels: ['a', 'b'], weight: new Float32Array(128), bias: new Float32Array(2) },
    };
    refused(
      () => linearMerge([adapter, other], [1, NaN, 1]),
      /\/weights: 3 weights for 2 adapters/,
      /\/weights\/1: NaN/,
      /\/adapters\/1\/base: large@cdcdcdcdcdcd is not the first one's tiny@abababababab/,
      /v_proj: the first adapter does not update this layer/,
      /q_proj: the first adapter updates this layer/,
      /down_proj: \[64, 32\] is not the first one's \[64, 96\]/,
      /head: its labels \["a","b"\] are not the first one's \[\]/,
    );
    refused(() => linearMerge([], []), /nothing to merge/);
    refused(() => tiesMerge([adapter, other], [1, 1], { density: 1, rank: 2 }), /v_proj/);
  });
});

describe('a TIES merge', () => {
  it('trims, elects signs and takes the mean of those that agree', () => {
    const updates = [Float64Array.of(4, -3, 1, 2, 0.1), Float64Array.of(-5, -1, 0.5, 4, 0.2)];
    // The three largest of each: [4, −3, 0, 2, 0] and [−5, −1, 0, 4, 0].
    assert.deepEqual([...ties(updates, [1, 1], 0.6)], [-5, -2, 0, 3, 0]);
    assert.deepEqual([...ties(updates, [1, 2], 0.6)], [-10, -2.5, 0, 5, 0]);
  });

  it('keeps the earlier of values that are equally large', () => {
    assert.deepEqual([...ties([Float64Array.of(1, -2, 1, 1)], [1], 0.5)], [1, -2, 0, 0]);
    assert.deepEqual([...ties([Float64Array.of(1, 2)], [1], 0.1)], [0, 0]);
  });

  it('of one adapter at density 1 is that adapter', () => {
    const merge = tiesMerge([adapter], [1], { density: 1, rank: 2 });
    assert.ok(merge.error < 1e-6, String(merge.error));
    adapter.targets.forEach((_, i) => assert.ok(difference(updateOf(merge.adapter, i), updateOf(adapter, i)) < 1e-6));
  });

  it('of an adapter with itself, in equal shares or not, is that adapter, and its head', () => {
    const head = { labels: ['a', 'b'], weight: Float32Array.of(1, -2, 3, 4), bias: Float32Array.of(0.5, -1) };
    const whole: Adapter = { ...adapter, task: 'classification', head };
    for (const shares of [
      [0.5, 0.5],
      [0.25, 0.75],
    ]) {
      const merge = tiesMerge([whole, whole], shares, { density: 1, rank: 2 });
      whole.targets.forEach((_, i) => assert.ok(difference(updateOf(merge.adapter, i), updateOf(whole, i)) < 1e-6));
      assert.deepEqual(merge.adapter.head, head);
    }
  });

  it('says what its rank does not hold, less with a larger one, and gives the same each time', () => {
    const adapters = [sample('x'), sample('y'), sample('z')];
    const merge = (rank: number): ReturnType<typeof tiesMerge> =>
      tiesMerge(adapters, [1, 1, 1], { density: 0.3, rank });
    const errors = [1, 4, 16, 64].map((rank) => merge(rank).error);
    assert.ok(errors[0]! > 0.5 && errors.every((error, i) => i === 0 || error < errors[i - 1]!), errors.join());
    assert.ok(errors[3]! < 1e-6, errors.join());
    assert.deepEqual(merge(4), merge(4));
  });

  it('refuses a density or a rank that is none', () => {
    refused(() => tiesMerge([adapter], [1], { density: 0, rank: 0.5 }), /\/density: 0/, /\/rank: 0.5/);
  });
});

describe('low-rank factors', () => {
  const product = (left: ArrayLike<number>, right: ArrayLike<number>, rows: number, columns: number): Float64Array => {
    const rank = left.length / rows;
    return Float64Array.from({ length: rows * columns }, (_, at) => {
      const [row, column] = [Math.floor(at / columns), at % columns];
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += left[row * rank + r]! * right[r * columns + column]!;
      return sum;
    });
  };
  const values = (length: number): fc.Arbitrary<number[]> =>
    fc.array(fc.integer({ min: -9, max: 9 }), { minLength: length, maxLength: length });

  it('reproduce a matrix of that rank, whatever its shape', () => {
    const shape = fc.record({ rows: fc.integer({ min: 1, max: 30 }), columns: fc.integer({ min: 1, max: 30 }) });
    fc.assert(
      fc.property(
        fc.tuple(shape, fc.integer({ min: 1, max: 4 })).chain(([{ rows, columns }, rank]) =>
          fc.record({
            ...{ rows: fc.constant(rows), columns: fc.constant(columns), rank: fc.constant(rank) },
            ...{ left: values(rows * rank), right: values(rank * columns) },
          }),
        ),
        ({ rows, columns, rank, left, right }) => {
          const matrix = product(left, right, rows, columns);
          const factors = lowRankFactors(matrix, rows, columns, rank);
          assert.ok(difference(product(factors.left, factors.right, rows, columns), matrix) < 1e-9);
        },
      ),
    );
  });

  it('are the best of their rank: the singular values of a diagonal matrix that it cannot hold are what is left', () => {
    const size = 40;
    const matrix = new Float64Array(size * size);
    for (let i = 0; i < size; i++) matrix[i * size + i] = 1 / (i + 1);
    const { left, right } = lowRankFactors(matrix, size, size, 5);
    const rest = product(left, right, size, size).map((value, at) => matrix[at]! - value);
    const square = rest.reduce((sum, value) => sum + value * value, 0);
    let best = 0;
    for (let i = 5; i < size; i++) best += 1 / ((i + 1) * (i + 1));
    assert.ok(Math.abs(square / best - 1) < 1e-3, `${square} ${best}`);
  });
});
