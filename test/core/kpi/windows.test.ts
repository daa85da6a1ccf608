import assert from 'node:assert/strict';
import fc from 'fast-check';
import { anomalyOf } from '../../../src/core/kpi/anomaly.ts';
import {
  addToDistribution,
  createDistribution,
  distributionQuantile,
  mergeDistributions,
} from '../../../src/core/kpi/distribution.ts';
import { createWindow, mergeWindows, summariseWindow, windowOf } from '../../../src/core/kpi/windows.ts';

const sample = fc.record({
  ordinal: fc.nat(),
  failed: fc.boolean(),
  score: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  correct: fc.option(fc.boolean(), { nil: undefined }),
  fuel: fc.nat(),
  modelCalls: fc.nat({ max: 5 }),
});

describe('kpi/windows', () => {
  it('merges shards, in any order and grouping, to the bits of one pass', () => {
    const shards = fc.tuple(fc.array(sample), fc.array(sample), fc.array(sample));
    fc.assert(
      fc.property(shards, ([a, b, c]) => {
        const whole = windowOf([...a, ...b, ...c]);
        assert.deepEqual(mergeWindows(mergeWindows(windowOf(a), windowOf(b)), windowOf(c)), whole);
        assert.deepEqual(mergeWindows(windowOf(c), mergeWindows(windowOf(b), windowOf(a))), whole);
        assert.deepEqual(mergeWindows(createWindow(), whole), whole);
      }),
    );
  });

  it('summarises what it counted', () => {
    const samples = Array.from({ length: 100 }, (_, i) => ({
      ordinal: i,
      failed: i < 2,
      score: i < 50 ? (i < 40 ? 1 : 0.5) : undefined,
      correct: i < 40,
      fuel: 1000 + i,
      modelCalls: i % 2,
    }));
    const summary = summariseWindow(windowOf(samples));
    assert.equal(summary.accuracy.estimate, 0.8);
    assert.equal(summary.meanScore, 0.9);
    assert.equal(summary.failureRate.estimate, 0.02);
    assert.equal(summary.fuelPerThousand, 1_049_500);
    assert.equal(summary.modelCallsPerThousand, 500);
    assert.ok(Math.abs(summary.fuelMedian - 1050) < 1050 / 16);
    assert.ok(Number.isNaN(summariseWindow(createWindow()).meanScore));
    assert.throws(() => windowOf([{ ...samples[0]!, score: 2 }]), { code: 'CHIMERA_INVALID_INPUT' });
  });
});

describe('kpi/distribution', () => {
  it('has quantiles within a sixteenth, exact ones below 32', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 2 ** 40 }), { minLength: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const sorted = [...values].sort((a, b) => a - b);
          const exact = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
          const found = distributionQuantile(addToDistribution(createDistribution(), values), q);
          assert.ok(Math.abs(found - exact) <= exact / 16, `${found} against ${exact}`);
        },
      ),
    );
    assert.equal(distributionQuantile(addToDistribution(createDistribution(), [0, 7, 31]), 0.5), 7);
    assert.ok(Number.isNaN(distributionQuantile(createDistribution(), 0.5)));
  });

  it('merges exactly and refuses what is no count', () => {
    const one = addToDistribution(createDistribution(), [5, 500]);
    assert.deepEqual(mergeDistributions(one, createDistribution()), one);
    assert.deepEqual(mergeDistributions(one, one), addToDistribution(one, [5, 500]));
    for (const bad of [-1, 0.5, NaN]) {
      assert.throws(() => addToDistribution(one, [bad]), { code: 'CHIMERA_INVALID_INPUT' });
    }
  });
});

describe('kpi/anomaly', () => {
  it('flags what stands out, and is not fooled by earlier outliers', () => {
    const history = [10, 11, 9, 10, 12, 10, 500, 9, 11, 10];
    assert.equal(anomalyOf(history, 40).anomalous, true);
    assert.equal(anomalyOf(history, 12).anomalous, false);
    assert.ok(anomalyOf(history, 2).score < -3.5);
  });

  it('copes with histories that hardly vary, and with short ones', () => {
    assert.deepEqual(anomalyOf([3, 3, 3, 3, 3], 3), { anomalous: false, score: 0, median: 3, scale: 0 });
    assert.equal(anomalyOf([3, 3, 3, 3, 3], 4).score, Infinity);
    assert.equal(anomalyOf([3, 3, 3, 3, 4], 3.5).anomalous, false);
    assert.equal(anomalyOf([1, 2], 1000).anomalous, false);
  });
});
