import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  crowdingDistances,
  dominates,
  environmentalSelection,
  nonDominatedSort,
  standings,
  tournament,
} from '../../../src/core/evolution/nsga2.ts';
import type { Individual } from '../../../src/core/evolution/nsga2.ts';
import { stream } from '../../../src/core/random/random.ts';

const population = (
  dimensions: number,
  values: fc.Arbitrary<number> = fc.nat({ max: 6 }),
): fc.Arbitrary<Individual[]> =>
  fc
    .array(
      fc.record({
        objectives: fc.array(values, { minLength: dimensions, maxLength: dimensions }),
        violation: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 2 }) }),
      }),
      { maxLength: 30 },
    )
    .map((items) => items.map((item, index) => ({ ...item, id: `i${index}` })));

/** Peels off, again and again, everything that nothing left dominates. */
function bruteForce(individuals: readonly Individual[]): string[][] {
  let rest = [...individuals];
  const fronts: string[][] = [];
  while (rest.length > 0) {
    const front = rest.filter((a) => !rest.some((b) => dominates(b, a)));
    fronts.push(front.map((a) => a.id).sort());
    rest = rest.filter((a) => !front.includes(a));
  }
  return fronts;
}

describe('NSGA-II', () => {
  it('sorts as brute force does, in two and three objectives, with constraints', () => {
    for (const dimensions of [2, 3])
      fc.assert(
        fc.property(population(dimensions), (individuals) => {
          const fronts = nonDominatedSort(individuals).map((front) => front.map((i) => individuals[i]!.id));
          assert.deepEqual(fronts, bruteForce(individuals));
        }),
        { numRuns: 300 },
      );
  });

  it('prefers feasible to infeasible, and less to more violation', () => {
    const good = { id: 'a', objectives: [9, 9], violation: 0 };
    const bad = { id: 'b', objectives: [1, 1], violation: 1 };
    const worse = { id: 'c', objectives: [0, 0], violation: 2 };
    assert.deepEqual(nonDominatedSort([worse, bad, good]), [[2], [1], [0]]);
  });

  it('measures crowding by the cuboid of the neighbours', () => {
    const at = (id: string, x: number, y: number): Individual => ({ id, objectives: [x, y], violation: 0 });
    const front = [at('a', 0, 10), at('b', 1, 6), at('c', 4, 5), at('d', 10, 0)];
    assert.deepEqual(crowdingDistances(front, [0, 1, 2, 3]), [Infinity, 0.4 + 0.5, 0.9 + 0.6, Infinity]);
    assert.deepEqual(
      environmentalSelection(front, 3).map((i) => front[i]!.id),
      ['a', 'd', 'c'],
    );
  });

  it('selects the same individuals in whatever order they come, and whole fronts first', () => {
    fc.assert(
      fc.property(population(2), fc.nat({ max: 30 }), fc.string(), (individuals, count, seed) => {
        const ids = (list: readonly Individual[]): string[] =>
          environmentalSelection(list, count).map((i) => list[i]!.id);
        const chosen = ids(individuals);
        assert.deepEqual(ids(stream(seed, 0, 0, 'shuffle').shuffle(individuals)), chosen);
        const front = new Map(standings(individuals).map((s, i) => [individuals[i]!.id, s.front]));
        const worst = Math.max(-1, ...chosen.map((id) => front.get(id)!));
        for (const [id, rank] of front) if (rank < worst) assert.ok(chosen.includes(id));
        assert.equal(chosen.length, Math.min(count, individuals.length));
      }),
    );
  });

  it('lets the better of two win a tournament', () => {
    const individuals = [0, 1, 2, 3].map((x) => ({ id: `i${x}`, objectives: [x, x], violation: 0 }));
    const standing = standings(individuals);
    const wins = [0, 0, 0, 0];
    for (let n = 0; n < 4000; n++) wins[tournament(individuals, standing, stream('t', 0, n, 'pick'))]!++;
    // The i-th best of 4 wins with probability (7 − 2i) / 16.
    [1750, 1250, 750, 250].forEach((mean, i) => assert.ok(Math.abs(wins[i]! - mean) < 150, wins.join()));
  });
});
