import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compilePattern } from '../../../src/core/validation/pattern.ts';

describe('patterns of a schema', () => {
  const patterns = [
    '',
    'a',
    '^a$',
    '^[a-z][a-z0-9-]{0,3}$',
    '(?:ab|ba)+',
    '^(a|b)*c?$',
    'a{2,3}b',
    '^a{2}$',
    '^a{1,}$',
    '\\d+\\.\\d',
    '^\\w*\\s?$',
    '[^ab]',
    'x|^$|y$',
    '^(a*)*$',
    'a+?b',
    '\\u0061\\x62',
    '^\\p{L}+$',
    'a.c',
    '[\\]a]b',
  ];

  for (const pattern of patterns) {
    it(`answers as the engine does for ${JSON.stringify(pattern)}`, () => {
      const own = compilePattern(pattern);
      const engine = new RegExp(pattern, 'u');
      const texts = fc.array(fc.constantFrom('a', 'b', 'c', '1', '.', '-', ' ', ']', 'é', '\n', '𝒳', 'x', 'y'), {
        maxLength: 8,
      });
      fc.assert(
        fc.property(texts, (characters) => {
          const text = characters.join('');
          assert.equal(own.test(text), engine.test(text));
        }),
      );
    });
  }

  it('takes time in proportion to the text where a backtracking engine takes for ever', () => {
    assert.equal(compilePattern('^(a+)+$').test(`${'a'.repeat(5000)}!`), false);
    assert.equal(compilePattern('^(a|aa|a?)*$').test(`${'a'.repeat(5000)}!`), false);
  });

  for (const [pattern, why] of [
    ['(?=a)', /look-around/],
    ['(a)\\1', /\\1 is not supported/],
    ['(?<n>a)', /named groups/],
    ['(a', /not closed/],
    ['a)', /not opened/],
    ['[a', /not closed/],
    ['*a', /nothing to repeat/],
    ['a{3,2}', /wrong way round/],
    ['a\\', /backslash/],
    ['(?:(?:a{1000}){1000})', /too many states/],
    ['a'.repeat(600), /limit is 512/],
    ['[b-a]', /not understood/],
    ['('.repeat(100), /too deep/],
  ] as const) {
    it(`refuses ${pattern.slice(0, 20)}`, () => {
      assert.throws(
        () => compilePattern(pattern),
        (error: Error) => error instanceof SyntaxError && why.test(error.message),
      );
    });
  }

  it('refuses to run where text times states is beyond all measure', () => {
    assert.throws(() => compilePattern('^(?:a{100}){10}$').test('a'.repeat(100_000)), RangeError);
  });
});
