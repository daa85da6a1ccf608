import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  accuracy,
  addPairs,
  balancedAccuracy,
  classificationReport,
  comparePaired,
  createConfusion,
  f1Of,
  macroF1,
  mergeConfusion,
  metricOf,
} from '../../../src/core/kpi/confusion.ts';
import type { LabelPair } from '../../../src/core/kpi/confusion.ts';

const labels = ['ham', 'spam'];
const repeat = (n: number, expected: string, predicted?: string): LabelPair[] =>
  Array.from({ length: n }, () => ({ expected, predicted }));
const pairs = [
  ...repeat(80, 'ham', 'ham'),
  ...repeat(10, 'ham', 'spam'),
  ...repeat(6, 'spam', 'spam'),
  ...repeat(4, 'spam'),
];

describe('kpi/confusion', () => {
  it('computes the figures by hand-checked arithmetic; a missing answer is wrong', () => {
    const confusion = addPairs(createConfusion(labels), pairs);
    assert.deepEqual(confusion.counts, [80, 10, 0, 0, 6, 4]);
    assert.equal(metricOf(confusion, accuracy), 0.86);
    assert.equal(metricOf(confusion, balancedAccuracy), (80 / 90 + 0.6) / 2);
    assert.equal(metricOf(confusion, f1Of(1)), 12 / 26);
    assert.equal(metricOf(confusion, macroF1), (160 / 170 + 12 / 26) / 2);
  });

  it('merges shards to the counts of one pass, for any label set', () => {
    const label = fc.constantFrom('a', 'b', 'c');
    const pair = fc.record({ expected: label, predicted: fc.option(fc.oneof(label, fc.string()), { nil: undefined }) });
    const empty = createConfusion(['a', 'b', 'c']);
    fc.assert(
      fc.property(fc.array(pair), fc.array(pair), (one, other) => {
        const merged = mergeConfusion(addPairs(empty, one), addPairs(empty, other));
        assert.deepEqual(merged, addPairs(empty, [...one, ...other]));
      }),
    );
    assert.throws(() => mergeConfusion(empty, createConfusion(labels)), { code: 'CHIMERA_INVALID_INPUT' });
  });

  it('counts only labels that occur', () => {
    const only = addPairs(createConfusion(['a', 'b', 'c']), repeat(5, 'a', 'a'));
    assert.equal(metricOf(only, balancedAccuracy), 1);
    assert.equal(metricOf(only, macroF1), 1);
    assert.ok(Number.isNaN(metricOf(only, f1Of(2))));
  });

  it('reports every figure with an interval around it', () => {
    const report = classificationReport(pairs, { labels, seed: 's', replicates: 300 });
    assert.deepEqual([report.tasks, report.positive], [100, 'spam']);
    for (const { estimate, low, high } of [report.accuracy, report.balancedAccuracy, report.macroF1, report.f1]) {
      assert.ok(low < estimate && estimate < high);
    }
    assert.ok(report.accuracy.high - report.accuracy.low < report.f1.high - report.f1.low);
    assert.ok(Number.isNaN(classificationReport([], { labels, seed: 's' }).accuracy.estimate));
  });

  it('compares on the same tasks: paired intervals are narrower than the classifiers alone', () => {
    const better = pairs.map((pair, i) => (i < 95 ? { ...pair, predicted: pair.expected } : pair));
    const options = { labels, positive: 'spam', seed: 's', replicates: 300 };
    const difference = comparePaired(better, pairs, options);
    assert.ok(difference.accuracy.low > 0);
    const same = comparePaired(pairs, pairs, options);
    assert.deepEqual([same.f1.low, same.f1.high, same.balancedAccuracy.estimate], [0, 0, 0]);
  });

  it('refuses bad label sets and answers that do not pair', () => {
    assert.throws(() => createConfusion(['a']), /two or more/);
    assert.throws(() => addPairs(createConfusion(labels), [{ expected: 'x' }]), /"x" is not one of ham, spam/);
    assert.throws(() => comparePaired(pairs, pairs.slice(1), { labels, seed: 's' }), /same tasks/);
    assert.throws(() => classificationReport(pairs, { labels, seed: 's', positive: 'x' }), /no label/);
  });
});
