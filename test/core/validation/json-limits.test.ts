import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isChimeraError, type ErrorCode } from '../../../src/contracts/errors.ts';
import { jsonDepth, parseLimited } from '../../../src/core/validation/json-limits.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const limits = { maxBytes: 1 << 20, maxDepth: 20 };

function depth(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depth));
}

describe('JSON from outside', () => {
  const refusals: [string, Uint8Array, ErrorCode, RegExp][] = [
    ['an empty body', bytes(''), 'CHIMERA_MALFORMED_JSON', /not JSON/],
    ['half a body', bytes('{"a":'), 'CHIMERA_MALFORMED_JSON', /not JSON/],
    ['a body that is not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'CHIMERA_MALFORMED_JSON', /UTF-8/],
    ['a number that no double holds', bytes('{"a":[1,-1e999]}'), 'CHIMERA_MALFORMED_JSON', /number is too large/],
    ['10 MB', new Uint8Array(10 << 20).fill(0x20), 'CHIMERA_TOO_LARGE', /10485760 bytes, the limit is 1048576 bytes/],
    ['100-deep nesting', bytes('['.repeat(100) + ']'.repeat(100)), 'CHIMERA_TOO_LARGE', /20 levels/],
    ['nesting that never closes', bytes('{"a":'.repeat(100_000)), 'CHIMERA_TOO_LARGE', /20 levels/],
  ];
  for (const [name, body, code, message] of refusals) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => parseLimited(body, limits),
        (error: unknown) => isChimeraError(error, code) && message.test(error.message),
      );
    });
  }

  it('parses what JSON.parse parses and finds its depth', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        assert.deepEqual(parseLimited(bytes(text), limits), JSON.parse(text));
        assert.equal(jsonDepth(bytes(text)), depth(value));
      }),
    );
  });

  it('does not count brackets within texts', () => {
    assert.equal(jsonDepth(bytes(JSON.stringify({ a: '[[[[{{{"\\"[[' }))), 1);
  });
});
