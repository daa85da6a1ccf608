import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createTermCounter, wordsOf } from '../../../src/core/validation/preprocess/terms.ts';

const TERMS = ['free', 'cash', 'a', 'b_1', '77', 'gratuité', 'k', 'never said'];
const places = new Map(TERMS.map((term, i) => [term, [i]]));

/** Texts near the terms: words of them in any case, between all kinds of separators. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...TERMS,
        'FREE',
        'Cash',
        'K' /* Kelvin: its lower case is k */,
        'freed',
        'é',
        '_',
        '\n',
        '-',
        ' ',
      ),
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary-ascii' }),
    ),
  )
  .map((parts) => parts.join(''));

describe('term counter', () => {
  it('counts what a list of all words holds, whatever the text', () => {
    const count = createTermCounter(places);
    fc.assert(
      fc.property(text, (sample) => {
        const values = new Float64Array(TERMS.length);
        const words = wordsOf(sample);
        assert.equal(count(sample, values), words.length);
        assert.deepEqual(
          [...values],
          TERMS.map((term) => words.filter((word) => word === term).length),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('adds to every place of a term', () => {
    const values = new Float64Array(3);
    assert.equal(createTermCounter(new Map([['cash', [0, 2]]]))('Cash? CASH, cashier', values), 3);
    assert.deepEqual([...values], [2, 0, 2]);
  });
});
