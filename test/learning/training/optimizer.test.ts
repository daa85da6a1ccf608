import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { adamWStep, learningRateAt, newOptimizer } from '../../../src/learning/training/optimizer.ts';
import { specOf } from './samples.ts';

const near = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void => {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const bound = tolerance * Math.max(1, Math.abs(expected[i]!));
    assert.ok(Math.abs(actual[i]! - expected[i]!) <= bound, `${i}: ${actual[i]} is not ${expected[i]}`);
  }
};

/**
 * AdamW by its definition (Loshchilov and Hutter 2019, algorithm 2): all moments as sums over the whole history, nothing carried on.
 */
function byDefinition(start: number, gradients: readonly number[], rate: number, decay: number): number {
  let parameter = start;
  gradients.forEach((_, last) => {
    const t = last + 1;
    const sum = (beta: number, power: number): number =>
      gradients.slice(0, t).reduce((all, g, i) => all + (1 - beta) * beta ** (t - 1 - i) * g ** power, 0);
    const mean = sum(0.9, 1) / (1 - 0.9 ** t);
    const square = sum(0.999, 2) / (1 - 0.999 ** t);
    parameter -= rate * decay * parameter + (rate * mean) / (Math.sqrt(square) + 1e-8);
  });
  return parameter;
}

describe('AdamW', () => {
  it('moves every parameter by the learning rate in its first step, against the sign of its gradient', () => {
    const gradient = Float64Array.of(3, -0.002, 1e-4, -50);
    const state = newOptimizer(Float32Array.of(1, 1, -1, 0));
    adamWStep(state, gradient, 0.01, { weightDecay: 0, clip: 0 });
    near(state.parameters, [0.99, 1.01, -1.01, 0.01], 1e-6);
  });

  it('computes what its definition says', () => {
    const value = fc.double({ min: -2, max: 2, noNaN: true });
    fc.assert(
      fc.property(
        value,
        fc.array(value, { minLength: 1, maxLength: 20 }),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        (start, gradients, weightDecay) => {
          const state = newOptimizer(Float32Array.of(start));
          for (const g of gradients) adamWStep(state, Float64Array.of(g), 0.01, { weightDecay, clip: 0 });
          near(state.parameters, [byDefinition(Math.fround(start), gradients, 0.01, weightDecay)], 2e-5);
          assert.equal(state.step, gradients.length);
        },
      ),
      { examples: [[1, [0, 0, 0], 0.1]] },
    );
  });

  it('lets weights decay where there is no gradient', () => {
    const state = newOptimizer(Float32Array.of(2));
    adamWStep(state, Float64Array.of(0), 0.1, { weightDecay: 0.5, clip: 1 });
    near(state.parameters, [1.9], 1e-7);
  });

  it('shortens a long gradient, keeps its direction, and says how long it was', () => {
    const clipped = newOptimizer(new Float32Array(2));
    assert.equal(adamWStep(clipped, Float64Array.of(30, 40), 0.1, { weightDecay: 0, clip: 1 }), 50);
    near(clipped.first, [0.06, 0.08], 1e-6);
    const short = newOptimizer(new Float32Array(2));
    assert.equal(adamWStep(short, Float64Array.of(0.3, 0.4), 0.1, { weightDecay: 0, clip: 1 }), 0.5);
    near(short.first, [0.03, 0.04], 1e-7);
    const free = newOptimizer(new Float32Array(2));
    adamWStep(free, Float64Array.of(30, 40), 0.1, { weightDecay: 0, clip: 0 });
    near(free.first, [3, 4], 1e-6);
  });
});

describe('schedules of the learning rate', () => {
  const rates = (schedule: 'constant' | 'linear' | 'cosine', warmup: number): number[] => {
    const spec = specOf('causal', { steps: 10, warmup, schedule, learningRate: 0.1 });
    return Array.from({ length: 10 }, (_, step) => learningRateAt(step, spec));
  };

  it('stay, fall in a line, or fall in half a cosine', () => {
    near(rates('constant', 0), Array<number>(10).fill(0.1), 1e-12);
    near(rates('linear', 0), [0.1, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01], 1e-12);
    const cosine = rates('cosine', 0);
    near([cosine[0]!, cosine[5]!], [0.1, 0.05], 1e-12);
    near(
      cosine.slice(1, 5).map((rate, i) => rate + cosine[9 - i]!),
      [0.1, 0.1, 0.1, 0.1],
      1e-12,
    );
  });

  it('rise in a line to their peak, which they reach', () => {
    near(rates('constant', 0.4), [0.025, 0.05, 0.075, ...Array<number>(7).fill(0.1)], 1e-12);
    near(rates('linear', 0.4).slice(0, 6), [0.025, 0.05, 0.075, 0.1, 0.1, 0.1 * (5 / 6)], 1e-12);
  });

  it('never rest: every step of every schedule learns', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        fc.constantFrom('constant' as const, 'linear' as const, 'cosine' as const),
        (steps, warmup, schedule) => {
          const spec = specOf('causal', { steps, warmup, schedule, learningRate: 0.1 });
          for (let step = 0; step < steps; step++) {
            const rate = learningRateAt(step, spec);
            assert.ok(rate > 0 && rate <= 0.1 + 1e-12, `step ${step}: ${rate}`);
          }
        },
      ),
    );
  });
});
