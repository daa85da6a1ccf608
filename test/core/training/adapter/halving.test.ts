import assert from 'node:assert/strict';
import fc from 'fast-check';
import { betterHalf, roundSteps, sweepCandidates } from '../../../../src/core/training/adapter/halving.ts';

describe('successive halving', () => {
  it('tries every combination once, under a name of its own', () => {
    const all = sweepCandidates({ name: 'a' }, [0.1, 0.2], [4, 8]);
    assert.deepEqual(
      all.map(({ name, learningRate, rank }) => [name, learningRate, rank]),
      [
        ['a-1', 0.1, 4],
        ['a-2', 0.1, 8],
        ['a-3', 0.2, 4],
        ['a-4', 0.2, 8],
      ],
    );
  });

  it('trains twice as far in each round, to the end in the last, in as many rounds as halve the candidates to one', () => {
    assert.deepEqual(roundSteps(24, 4), [6, 12, 24]);
    assert.deepEqual(roundSteps(100, 1), [100]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 128 }), fc.nat(1e6), (candidates, more) => {
        const halvings = Math.ceil(Math.log2(candidates));
        const steps = 2 ** halvings + more;
        const ends = roundSteps(steps, candidates);
        assert.equal(ends.length, halvings + 1);
        assert.equal(ends.at(-1), steps);
        ends.forEach((end, i) => assert.ok(end >= 1 && (i === 0 || end > ends[i - 1]!)));
      }),
    );
  });

  it('keeps the better half in its order, and what diverged last of all', () => {
    assert.deepEqual(betterHalf([{ loss: 2 }, {}, { loss: 1 }, { loss: NaN }]), [{ loss: 2 }, { loss: 1 }]);
    assert.deepEqual(
      betterHalf([
        { loss: 1, n: 0 },
        { loss: 1, n: 1 },
      ]),
      [{ loss: 1, n: 0 }],
    );
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }), (losses) => {
        const kept = betterHalf(losses.map((loss) => ({ loss })));
        assert.equal(kept.length, Math.ceil(losses.length / 2));
        const sorted = losses.toSorted((a, b) => a - b);
        assert.ok(Math.max(...kept.map(({ loss }) => loss)) <= sorted[kept.length - 1]!);
      }),
    );
  });
});
