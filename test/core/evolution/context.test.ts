import assert from 'node:assert/strict';
import fc from 'fast-check';
import { offerModel, summariseData } from '../../../src/core/evolution/context.ts';
import { cutTable, cutsFor } from '../../../src/core/evolution/cuts.ts';
import { ChimeraError } from '../../../src/contracts/errors.ts';

describe('cutTable', () => {
  it('counts on both sides of every cut what is there, whatever the values', () => {
    const column = fc.array(
      fc.record({
        value: fc.oneof(fc.nat({ max: 4 }), fc.double({ noNaN: true, min: -1e9, max: 1e9 })),
        label: fc.nat({ max: 2 }),
      }),
      { minLength: 1, maxLength: 60 },
    );
    fc.assert(
      fc.property(column, fc.integer({ min: 1, max: 20 }), (tasks, perKind) => {
        const values = tasks.map((task) => task.value);
        const table = cutTable(
          values,
          tasks.map((task) => task.label),
          3,
          perKind,
        );
        const distinct = new Set(values.map((value) => value + 0)).size;
        assert.ok(table.cuts.length <= 2 * perKind && table.cuts.length >= Math.min(1, distinct - 1));
        table.cuts.forEach((cut, index) => {
          const counted = [0, 1, 2].map((label) => tasks.filter((t) => t.label === label && t.value <= cut).length);
          assert.deepEqual(table.below[index], counted);
          assert.ok(
            values.some((value) => value > cut),
            'a cut has something above it',
          );
          if (index > 0) assert.ok(cut > table.cuts[index - 1]!);
        });
      }),
    );
  });

  it('finds the perfect cut of separable data, with its gain and precision', () => {
    const values = Array.from({ length: 40 }, (_, i) => i);
    const table = cutTable(
      values,
      values.map((value) => (value >= 30 ? 1 : 0)),
      2,
      39,
    );
    const best = cutsFor(table, 1).sort((a, b) => b.gain - a.gain)[0]!;
    assert.deepEqual(best, { op: '>', threshold: 29.5, label: 1, gain: 1, coverage: 0.25, precision: 11 / 12 });
  });
});

describe('summariseData', () => {
  const tasks = Array.from({ length: 400 }, (_, i) => i);
  const expected = tasks.map((i) => (i % 4 === 0 ? 1 : 0));

  it('finds telling features and sums, and no idea in a constant one', () => {
    const columns = [
      tasks.map((i) => (i % 4 === 0 ? 5 : 1)),
      tasks.map(() => 3),
      tasks.map((i) => (i * 7919) % 101),
      tasks.map((i) => ((i * 31) % 17) + (i % 4 === 0 ? 6 : 0)),
    ];
    const summary = summariseData({ names: ['a', 'b', 'c', 'd'], columns, expected, labels: ['ham', 'spam'] });
    assert.deepEqual(
      summary.features.map((f) => f.cuts.length > 0),
      [true, false, true, true],
    );
    assert.deepEqual(summary.ideas[0]!.when, [{ feature: 0, op: '<=', threshold: 3 }]);
    assert.ok(summary.ideas.some((idea) => 'sum' in idea.when[0]!));
    assert.ok(summary.ideas.every((idea) => idea.when.every((c) => !('feature' in c) || c.feature !== 1)));
  });

  it('refuses ragged, non-finite and mislabelled data, all at once', () => {
    assert.throws(
      () => summariseData({ names: ['a'], columns: [[1], [NaN, 2]], expected: [0, 9], labels: ['x', 'y'] }),
      (error) => error instanceof ChimeraError && error.details.problems!.length === 4,
    );
  });
});

describe('offerModel', () => {
  it('starts at the threshold that separates best, and offers the quantiles', () => {
    const use = { name: 'm', input: '/text', score: 0, positive: 'spam', negative: 'ham' };
    const scores = Array.from({ length: 101 }, (_, i) => i / 100);
    const offer = offerModel(use, [...scores, NaN], [...scores.map((score) => score > 0.7), true]);
    assert.ok(Math.abs(offer.start - 0.7) < 0.03, `${offer.start}`);
    assert.ok(offer.thresholds.length > 20);
    assert.deepEqual(offerModel(use, [], []).thresholds, [0.5]);
  });
});
