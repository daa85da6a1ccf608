import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  fromFloat16,
  readBfloat16,
  readFloat16,
  readFloat32,
  toFloat16,
} from '../../../src/learning/weights/float16.ts';

describe('half precision', () => {
  it('comes back from every one of its numbers', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const number = fromFloat16(bits);
      if (Number.isNaN(number)) assert.equal(bits & 0x7c00, 0x7c00);
      else assert.equal(toFloat16(number), bits);
    }
  });

  it('has the values of IEEE 754', () => {
    const known: [number, number][] = [
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3c00, 1],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x7c00, Infinity],
      [0xfc00, -Infinity],
      [0x8000, -0],
    ];
    for (const [bits, number] of known) assert.ok(Object.is(fromFloat16(bits), number), `${bits} is ${number}`);
  });

  it('takes the nearest, and of two the even one', () => {
    const step = 2 ** -10;
    assert.equal(toFloat16(1 + step / 2), toFloat16(1));
    assert.equal(toFloat16(1 + 1.5 * step), toFloat16(1 + 2 * step));
    assert.equal(toFloat16(1 + step / 2 + 2 ** -23), toFloat16(1 + step));
    assert.equal(toFloat16(2 ** -25), 0);
    assert.equal(toFloat16(Math.fround(2 ** -25 * (1 + 2 ** -23))), 1);
    assert.equal(toFloat16(1.5 * 2 ** -24), 2);
    assert.equal(toFloat16(65519.99609375), 0x7bff);
    assert.equal(toFloat16(65520), 0x7c00);
    assert.equal(fromFloat16(toFloat16(NaN)), NaN);
  });

  it('is never farther off than its neighbours', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -65504, max: 65504 }), (x) => {
        const bits = toFloat16(x);
        const distance = Math.abs(fromFloat16(bits) - x);
        for (const near of [bits - 1, bits + 1]) {
          const other = fromFloat16(near & 0xffff);
          if (Number.isFinite(other)) assert.ok(Math.abs(other - x) >= distance);
        }
      }),
    );
  });
});

describe('numbers at any place of a file', () => {
  const file = Uint8Array.of(0, 0x80, 0x3f, 0, 0, 0x80, 0x3f, 0x00, 0x3c);

  it('are read from odd places, and seen through where they are aligned', () => {
    assert.deepEqual([...readBfloat16(file.subarray(1, 3))], [fromBits(0x3f80)]);
    assert.deepEqual([...readFloat16(file.subarray(7))], [1]);
    assert.deepEqual([...readFloat32(file.subarray(3, 7))], [1]);
    const four = new Uint8Array(Float32Array.of(1, 2).buffer);
    assert.equal(readFloat32(four.subarray(4)).buffer, four.buffer);
  });
});

const fromBits = (upper: number): number => new Float32Array(Uint32Array.of(upper << 16).buffer)[0]!;
