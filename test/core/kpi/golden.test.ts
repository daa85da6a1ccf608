import assert from 'node:assert/strict';
import fc from 'fast-check';
import { selectGolden } from '../../../src/core/kpi/golden.ts';
import type { GoldenCandidate } from '../../../src/core/kpi/golden.ts';

const candidates: GoldenCandidate[] = Array.from({ length: 200 }, (_, ordinal) => ({
  ordinal,
  label: ordinal % 20 === 0 ? 'rare' : 'common',
  demonstration: ordinal % 10 !== 9,
  disagreement: ordinal % 8 === 3,
  confidence: ordinal % 7 === 1 ? 0.4 : 0.9,
}));
const settings = { seed: 's', limit: 50 };

describe('kpi/golden', () => {
  it('fills the quotas, gives the rest away, and names the reason of each', () => {
    const { selected, byReason, available, skipped } = selectGolden(candidates, settings);
    assert.equal(selected.length, 50);
    assert.equal(skipped, 20);
    assert.equal(byReason['rare-class'], available['rare-class']);
    assert.ok(byReason.disagreement >= 15 && byReason.demonstration >= 20 && byReason.uncertain >= 5);
    assert.equal(
      Object.values(byReason).reduce((a, b) => a + b),
      50,
    );
    for (const { ordinal, reason } of selected) {
      assert.notEqual(ordinal % 10, 9);
      if (reason === 'rare-class') assert.equal(ordinal % 20, 0);
      if (reason === 'disagreement') assert.equal(ordinal % 8, 3);
    }
  });

  it('is ordinal-ordered, seeded, and blind to the order of the candidates', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(candidates), fc.nat({ max: 80 }), (some, limit) => {
        const { selected } = selectGolden(some, { ...settings, limit });
        assert.deepEqual(selected, selectGolden([...some].reverse(), { ...settings, limit }).selected);
        assert.ok(selected.every((one, i) => i === 0 || one.ordinal > selected[i - 1]!.ordinal));
        assert.ok(selected.length === Math.min(limit, some.filter((c) => c.demonstration).length));
      }),
    );
    assert.notDeepEqual(
      selectGolden(candidates, settings).selected,
      selectGolden(candidates, { ...settings, seed: 't' }).selected,
    );
  });

  it('refuses bad settings, all at once', () => {
    assert.throws(
      () => selectGolden([candidates[0]!, candidates[0]!], { seed: '', limit: -1, quotas: { uncertain: 2 } }),
      (error: { details: { problems: unknown[] } }) => error.details.problems.length === 3,
    );
    assert.deepEqual(selectGolden([], settings).selected, []);
  });
});
