import assert from 'node:assert/strict';
import fc from 'fast-check';
import { addToArchive, archiveHash, createArchive } from '../../../src/core/evolution/archive.ts';
import type { Archive, Elite } from '../../../src/core/evolution/archive.ts';
import { finalists } from '../../../src/core/evolution/finalists.ts';
import { FAILED, FUEL_PER_UNIT, UNSCORABLE, evaluateColumns } from '../../../src/core/evolution/fitness.ts';
import { ChimeraError } from '../../../src/contracts/errors.ts';
import type { SearchState } from '../../../src/core/evolution/search.ts';
import { keywordBaseline } from './synthetic.ts';

const elite = (id: string, quality: number, cost: number, qualityError = 0.01): Elite => ({
  id,
  genome: keywordBaseline,
  evaluation: { candidate: id, tasks: 100, unscorable: 0, errors: 0, quality, qualityError, cost, fuel: 1 },
});
const archiveOf = (elites: Elite[], capacity = 64): Archive =>
  elites.reduce((archive, next) => addToArchive(archive, next).archive, createArchive(capacity));

describe('the archive', () => {
  it('is the Pareto front of all that knocked, in whatever order', () => {
    const points = fc.uniqueArray(fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 9 })), {
      selector: (p) => p.join(),
      maxLength: 40,
    });
    fc.assert(
      fc.property(points, (given) => {
        const elites = given.map(([quality, cost]) => elite(`${quality}:${cost}`, quality, cost));
        const front = given
          .filter(([q, c]) => !given.some(([q2, c2]) => q2 >= q && c2 <= c && (q2 > q || c2 < c)))
          .map((point) => point.join(':'));
        const archive = archiveOf(elites);
        assert.deepEqual(archive.elites.map(({ id }) => id).sort(), front.sort());
        assert.equal(archiveHash(archiveOf(elites.reverse())), archiveHash(archive));
      }),
    );
  });

  it('says what became of a newcomer, and gives up its most crowded elite over the capacity', () => {
    const ends = archiveOf([elite('a', 0.5, 1), elite('z', 0.9, 100)], 3);
    const status = (archive: Archive, next: Elite): string => addToArchive(archive, next).status;
    assert.equal(status(ends, elite('m', 0.7, 50)), 'NEW');
    assert.equal(status(ends, elite('m', 0.95, 50)), 'IMPROVE');
    assert.equal(status(ends, elite('m', 0.5, 1)), 'NOT_ADDED');
    assert.equal(status(ends, elite('m', 0.4, 2)), 'NOT_ADDED');
    const full = addToArchive(ends, elite('m', 0.89, 99)).archive;
    const spread = addToArchive(full, elite('n', 0.7, 40));
    assert.equal(spread.status, 'NEW');
    assert.deepEqual(
      spread.archive.elites.map(({ id }) => id),
      ['a', 'n', 'z'],
    );
    assert.deepEqual(addToArchive(spread.archive, elite('y', 0.72, 90)).archive, spread.archive);
  });
});

describe('finalists', () => {
  const of = (elites: Elite[], incumbent?: Elite): SearchState =>
    ({ archive: archiveOf(elites), incumbent }) as unknown as SearchState;

  it('puts the cheapest within a standard error of the best first, and the incumbent last', () => {
    const front = [elite('cheap', 0.6, 1), elite('knee', 0.9, 20), elite('near', 0.945, 80), elite('top', 0.95, 100)];
    const found = finalists(of(front, elite('old', 0.5, 5)), 3);
    assert.deepEqual(
      found.map(({ id, roles }) => [id, roles.join()]),
      [
        ['near', 'frugal'],
        ['knee', 'knee'],
        ['top', 'best'],
        ['old', 'incumbent'],
      ],
    );
    assert.deepEqual(
      finalists(of(front), 9).map(({ id }) => id),
      ['near', 'knee', 'top', 'cheap'],
    );
    assert.equal(finalists(of(front), 1, 10)[0]!.id, 'knee');
  });

  it('names one candidate once, with all its roles', () => {
    const only = elite('one', 0.8, 3);
    assert.deepEqual(
      finalists(of([only], only), 3).map(({ id, roles }) => [id, roles]),
      [['one', ['frugal', 'knee', 'best', 'incumbent']]],
    );
    assert.deepEqual(finalists(of([]), 3), []);
  });
});

describe('evaluateColumns', () => {
  it('leaves unscorable tasks out, counts failures as wrong, and prices fuel and models', () => {
    const expected = [0, 0, 0, 0, 1, 1, 1];
    const predicted = [0, 0, 0, 1, 1, FAILED, UNSCORABLE];
    const fuel = [10, 10, 10, 10, 10, 10, 40].map((units) => (units * FUEL_PER_UNIT) / 2);
    const modelPrice = [0, 0, 0, 0, 3, 3, 99];
    const evaluation = evaluateColumns('x', expected, { predicted, fuel, modelPrice }, 2, [4]);
    const { qualityError, ...rest } = evaluation;
    assert.deepEqual(rest, {
      candidate: 'x',
      tasks: 7,
      unscorable: 1,
      errors: 1,
      quality: (0.75 + 0.5) / 2,
      cost: 5 + 1,
      fuel: 50 * FUEL_PER_UNIT,
      coverage: [4],
    });
    // Recalls by Laplace: 4/6 of 4 tasks and 2/4 of 2.
    const variance = ((4 / 6) * (2 / 6)) / 4 + 0.25 / 2;
    assert.ok(Math.abs(qualityError - Math.sqrt(variance) / 2) < 1e-12);
  });

  it('is all zeros where nothing can be scored, and refuses ragged columns and unknown codes', () => {
    const one = { predicted: [UNSCORABLE], fuel: [1], modelPrice: [0] };
    const { quality, cost, unscorable } = evaluateColumns('x', [0], one, 2);
    assert.deepEqual([quality, cost, unscorable], [0, 0, 1]);
    assert.throws(
      () => evaluateColumns('x', [0, 5], { predicted: [7, 0], fuel: [1], modelPrice: [0, 0] }, 2),
      (error) => error instanceof ChimeraError && error.details.problems!.length === 3,
    );
  });
});
