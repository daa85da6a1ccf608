import assert from 'node:assert/strict';
import fc from 'fast-check';
import { deduplicate, similarityGroups } from '../../../src/core/curation/dedupe.ts';
import { fingerprint } from '../../../src/core/curation/examples.ts';
import { candidateProbability, createLshIndex, DEFAULT_LSH, signer } from '../../../src/core/curation/minhash.ts';
import { jaccard, shinglesOf, textOf } from '../../../src/core/curation/shingles.ts';
import { edited, example, randomText } from './texts.ts';

describe('curation/shingles', () => {
  it('measures how alike two texts are, as a plain set computation does', () => {
    const shingles = (text: string): Set<string> => {
      const words = text.split(' ').filter((word) => word !== '');
      return new Set(words.slice(2).map((_, i) => words.slice(i, i + 3).join(' ')));
    };
    const word = fc.constantFrom('a', 'b', 'c', 'd');
    const text = fc.array(word, { minLength: 3, maxLength: 25 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(text, text, (one, other) => {
        const [a, b] = [shingles(one), shingles(other)];
        const expected = [...a].filter((one) => b.has(one)).length / new Set([...a, ...b]).size;
        assert.equal(jaccard(shinglesOf(one), shinglesOf(other)), expected);
      }),
    );
  });

  it('looks past case and punctuation, and at nothing in a text without words', () => {
    assert.deepEqual(shinglesOf('Win  BIG, now -- today!'), shinglesOf('win big now today'));
    assert.notDeepEqual(shinglesOf('größe zählt hier'), shinglesOf('grosse zahlt hier'));
    assert.equal(shinglesOf('two words').length, 1);
    assert.equal(shinglesOf(' .,! ').length, 0);
    assert.equal(jaccard(shinglesOf(''), shinglesOf('')), 0);
  });

  it('collects the strings of a value by sorted key', () => {
    assert.equal(textOf({ b: ['x', 1, null], a: { c: 'y' } }), 'y\nx');
  });
});

describe('curation/minhash', () => {
  it('finds pairs as often as the documented curve says', () => {
    const sign = signer();
    for (const share of [0.05, 0.12, 0.3]) {
      let expected = 0;
      let found = 0;
      for (let i = 0; i < 150; i++) {
        const text = randomText('curve', i, 80);
        const a = shinglesOf(text);
        const b = shinglesOf(edited(text, share, `curve/${i}`));
        expected += candidateProbability(DEFAULT_LSH, jaccard(a, b));
        const index = createLshIndex();
        index.add(0, a, sign(a));
        found += index.find(b, sign(b), 0).length;
      }
      assert.ok(Math.abs(found - expected) < 20, `${found} found, ${expected} expected`);
    }
    assert.ok(Math.abs(candidateProbability(DEFAULT_LSH, 0.6) - 0.857) < 5e-4);
    assert.ok(candidateProbability(DEFAULT_LSH, 0.8) > 0.9999);
  });
});

describe('curation/dedupe', () => {
  const original = randomText('dedupe', 0, 200);
  const near = edited(original, 0.01, 'near');
  const far = randomText('dedupe', 1, 200);

  it('keeps the first of equal and nearly equal inputs, and reports disagreement', () => {
    const examples = [example(5, near), example(9, original, 'spam'), example(2, original), example(7, far)].map(
      fingerprint,
    );
    const { kept, removed } = deduplicate(examples);
    assert.deepEqual(
      kept.map((k) => k.example.ordinal),
      [2, 7],
    );
    assert.deepEqual(
      removed.map(({ ordinal, duplicateOf, kind, conflict }) => ({ ordinal, duplicateOf, kind, conflict })),
      [
        { ordinal: 5, duplicateOf: 2, kind: 'near', conflict: false },
        { ordinal: 9, duplicateOf: 2, kind: 'exact', conflict: true },
      ],
    );
    assert.ok(removed[0]!.similarity >= 0.8 && removed[0]!.similarity < 1);
  });

  it('does not depend on the order of the examples, and is idempotent', () => {
    const pool = Array.from({ length: 12 }, (_, i) =>
      example(i, edited(randomText('pool', i % 4, 60), i < 4 ? 0 : 0.02, `pool/${i}`)),
    ).map(fingerprint);
    fc.assert(
      fc.property(fc.shuffledSubarray(pool, { minLength: 1 }), (some) => {
        const once = deduplicate(some);
        assert.deepEqual(once, deduplicate([...some].reverse()));
        assert.deepEqual(deduplicate(once.kept), { kept: once.kept, removed: [] });
        assert.equal(once.kept.length + once.removed.length, some.length);
      }),
      { numRuns: 30 },
    );
  });

  it('groups look-alikes, also through a third', () => {
    const a = randomText('chain', 0, 150);
    const b = edited(a, 0.06, 'b');
    const c = edited(b, 0.06, 'c');
    const texts = [far, c, a, b].map((text, i) => fingerprint(example(i, text)));
    assert.deepEqual(similarityGroups(texts, 0.6), [0, 1, 1, 1]);
    assert.deepEqual(similarityGroups(texts, 0.99), [0, 1, 2, 3]);
  });
});
