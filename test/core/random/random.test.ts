import assert from 'node:assert/strict';
import fc from 'fast-check';
import { philox4x32, stream } from '../../../src/core/random/random.ts';

const hex = (words: number[]): string => words.map((w) => w.toString(16).padStart(8, '0')).join(' ');

describe('core/random', () => {
  it('gives the known answers of the Random123 distribution', () => {
    assert.equal(hex(philox4x32([0, 0, 0, 0], [0, 0])), '6627e8d5 e169c58d bc57ac4c 9b00dbd8');
    const f = 0xffffffff;
    assert.equal(hex(philox4x32([f, f, f, f], [f, f])), '408f276d 41c83b0e a20bc7c6 6d5451fd');
    assert.equal(
      hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])),
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    );
  });

  it('depends on every argument and on nothing else', () => {
    const draw = (...args: Parameters<typeof stream>): number => stream(...args).u32();
    assert.equal(draw('s', 1, 2, 'p'), draw('s', 1, 2, 'p'));
    const others = [draw('t', 1, 2, 'p'), draw('s', 2, 2, 'p'), draw('s', 1, 3, 'p'), draw('s', 1, 2, 'q')];
    assert.equal(new Set([draw('s', 1, 2, 'p'), ...others]).size, 5);
  });

  it('draws integers in range, near uniformly', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 0xffffffff }), (seed, n) => {
        const s = stream(seed, 0, 0, 'range');
        for (let i = 0; i < 20; i++) {
          const value = s.integer(n);
          assert.ok(Number.isInteger(value) && value >= 0 && value < n);
        }
      }),
    );
    const s = stream('chi', 0, 0, 'uniform');
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 20_000; i++) counts[Math.floor(s.uniform() * 10)]!++;
    const chi2 = counts.reduce((sum, c) => sum + (c - 2000) ** 2 / 2000, 0);
    assert.ok(chi2 < 27.9, `chi-square ${chi2} over the 0.1 % point of 9 degrees of freedom`);
  });

  it('shuffles to a permutation and leaves its argument alone', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.string(), (items, seed) => {
        const before = [...items];
        const shuffled = stream(seed, 0, 0, 'shuffle').shuffle(items);
        assert.deepEqual(items, before);
        assert.deepEqual([...shuffled].sort(), [...items].sort());
      }),
    );
  });

  it('refuses to pick from nothing', () => {
    assert.throws(() => stream('s', 0, 0, 'p').pick([]), RangeError);
  });
});
