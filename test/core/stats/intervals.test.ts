import assert from 'node:assert/strict';
import fc from 'fast-check';
import { stream } from '../../../src/core/random/random.ts';
import {
  bootstrap,
  bootstrapAll,
  median,
  normalQuantile,
  quantile,
  wilson,
} from '../../../src/core/stats/intervals.ts';

const near = (a: number, b: number, tolerance = 1e-9): void =>
  assert.ok(Math.abs(a - b) <= tolerance, `${a} against ${b}`);

describe('stats/intervals', () => {
  it('knows the quantiles of the normal distribution', () => {
    near(normalQuantile(0.975), 1.959963984540054, 1e-14);
    near(normalQuantile(0.5), 0);
    near(normalQuantile(1e-10), -6.361340902404056, 1e-9);
    near(normalQuantile(1e-20), -9.262340089798408, 1e-9);
    assert.equal(normalQuantile(0), -Infinity);
    assert.equal(normalQuantile(1), Infinity);
    assert.ok(Number.isNaN(normalQuantile(2)));
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 0.5, noNaN: true }), (p) =>
        near(normalQuantile(p), -normalQuantile(1 - p), 1e-8),
      ),
    );
  });

  it('gives Wilson intervals as published (Newcombe 1998)', () => {
    const cases = [
      [81, 263, 0.2553, 0.3662],
      [15, 148, 0.0624, 0.1605],
      [0, 20, 0, 0.1611],
      [1, 29, 0.0061, 0.1718],
    ] as const;
    for (const [successes, trials, low, high] of cases) {
      const interval = wilson(successes, trials);
      near(interval.low, low, 5e-5);
      near(interval.high, high, 5e-5);
    }
    assert.deepEqual({ ...wilson(0, 0), estimate: null }, { estimate: null, low: 0, high: 1, level: 0.95 });
    assert.equal(wilson(7, 7).high, 1);
    assert.throws(() => wilson(3, 2), { code: 'CHIMERA_INVALID_INPUT' });
  });

  it('covers the true mean about as often as the bootstrap promises', () => {
    let covered = 0;
    for (let run = 0; run < 60; run++) {
      const draws = stream('coverage', 0, run, 'test');
      const values = Array.from({ length: 120 }, () => draws.uniform());
      const mean = (indices: Uint32Array): number => indices.reduce((sum, i) => sum + values[i]!, 0) / indices.length;
      const { low, high } = bootstrap(mean, { size: 120, seed: `run-${run}`, replicates: 300 });
      if (low <= 0.5 && high >= 0.5) covered++;
    }
    assert.ok(covered >= 51, `${covered} of 60`);
  });

  it('is the same for the same seed and shares resamples between statistics', () => {
    const values = [3, 1, 4, 1, 5, 9, 2, 6];
    const sum = (indices: Uint32Array): number => indices.reduce((total, i) => total + values[i]!, 0);
    const options = { size: 8, seed: 's', replicates: 200 };
    assert.deepEqual(bootstrap(sum, options), bootstrap(sum, options));
    assert.notDeepEqual(bootstrap(sum, options), bootstrap(sum, { ...options, seed: 't' }));
    const [one, negative] = bootstrapAll((indices) => [sum(indices), -sum(indices)], options);
    assert.deepEqual(one, bootstrap(sum, options));
    near(negative!.low, -one!.high);
    const constant = bootstrapAll((indices) => [sum(indices) - sum(indices)], options)[0]!;
    assert.deepEqual([constant.low, constant.high], [0, 0]);
  });

  it('leaves undefined resamples out and has no interval without observations', () => {
    const half = bootstrap((indices) => (indices[0] === 0 ? NaN : 1), { size: 2, seed: 's', replicates: 50 });
    assert.deepEqual([half.low, half.high], [1, 1]);
    assert.ok(Number.isNaN(bootstrap(() => NaN, { size: 0, seed: 's' }).low));
  });

  it('takes quantiles between order statistics', () => {
    assert.equal(quantile([1, 2, 3, 4], 0.5), 2.5);
    assert.equal(quantile([1, 2, 3, 4], 1), 4);
    assert.equal(median([9, 1, 5]), 5);
    assert.ok(Number.isNaN(median([])));
    assert.equal(quantile([-Infinity, -Infinity], 0.3), -Infinity);
  });
});
