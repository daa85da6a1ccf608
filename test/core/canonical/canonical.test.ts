import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalJson, hashOf, sha256Hex } from '../../../src/core/canonical/canonical.ts';

describe('core/canonical', () => {
  it('sorts members, keeps arrays, drops undefined and adds no space', () => {
    assert.equal(canonicalJson({ b: [2, 1], a: { d: undefined, c: null } }), '{"a":{"c":null},"b":[2,1]}');
  });

  it('is the same for every order of members and survives a parse', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (record) => {
        const reversed = Object.fromEntries(Object.entries(record).reverse());
        assert.equal(canonicalJson(record), canonicalJson(reversed));
        assert.equal(canonicalJson(JSON.parse(canonicalJson(record))), canonicalJson(record));
      }),
    );
  });

  it('refuses what JSON cannot hold instead of writing null', () => {
    for (const bad of [Number.NaN, Infinity, 1n, () => 1, Symbol('x')])
      assert.throws(() => canonicalJson({ bad }), TypeError);
  });

  it('names contents by SHA-256', () => {
    assert.equal(sha256Hex('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    assert.equal(hashOf({ a: 1, b: 2 }), hashOf({ b: 2, a: 1 }));
  });
});
