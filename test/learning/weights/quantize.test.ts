import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { roundToFloat16 } from '../../../src/learning/weights/float16.ts';
import { dequantize4, dequantize8, quantizeBlocks4 } from '../../../src/learning/weights/quantize.ts';

const row = fc.float32Array({
  minLength: 32,
  maxLength: 32,
  noNaN: true,
  noDefaultInfinity: true,
  min: -100,
  max: 100,
});

describe('blocks of 4 bits', () => {
  it('hold what lies on their sixteen steps as it is', () => {
    const data = Float32Array.from({ length: 64 }, (_, i) => ((i * 7) % 16) * 0.25 - 1);
    const blocks = quantizeBlocks4(data, 2, 32);
    assert.deepEqual([...blocks.scales, ...blocks.minima], [0.25, 0.25, -1, -1]);
    assert.deepEqual(dequantize4(blocks), data);
  });

  it('have the earlier column in the low half of a byte', () => {
    const { codes } = quantizeBlocks4(Float32Array.of(0, 15, 3, 4), 1, 4, 4);
    assert.deepEqual([...codes], [0xf0, 0x43]);
  });

  it('are off by half a step at most, but for what half precision takes', () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 3 }), (rows) => {
        const data = Float32Array.from(rows.flatMap((values) => [...values]));
        const blocks = quantizeBlocks4(data, rows.length, 32);
        const values = dequantize4(blocks);
        data.forEach((x, i) => {
          const block = i >> 5;
          const [scale, minimum] = [blocks.scales[block]!, blocks.minima[block]!];
          const rounding = (Math.abs(minimum) + 15 * scale) * 2 ** -10 + 16 * 2 ** -24;
          assert.ok(Math.abs(values[i]! - x) <= scale / 2 + rounding, `${x} became ${values[i]}`);
        });
      }),
    );
  });

  it('have scales and minima of half precision, so that a file holds them', () => {
    fc.assert(
      fc.property(row, (data) => {
        const { scales, minima } = quantizeBlocks4(data, 1, 32);
        assert.deepEqual([scales[0], minima[0]], [roundToFloat16(scales[0]!), roundToFloat16(minima[0]!)]);
      }),
    );
  });

  it('are refused where elements are not finite, too wide, or not whole blocks', () => {
    const cases: [Float32Array, RegExp][] = [
      [new Float32Array(32).fill(NaN, 5, 6), /it holds NaN at 5/],
      [new Float32Array(32).fill(-Infinity, 31), /it holds -Infinity at 31/],
      [new Float32Array(32).fill(1e6, 1), /scales: it holds Infinity at 0/],
      [new Float32Array(32).fill(-1e5), /minima: it holds -Infinity at 0/],
      [new Float32Array(31), /not rows of blocks of 32/],
    ];
    for (const [data, why] of cases) {
      assert.throws(
        () => quantizeBlocks4(data, 1, data.length),
        (error: unknown) => isChimeraError(error, 'CHIMERA_INVALID_INPUT') && why.test(error.message),
      );
    }
  });
});

describe('blocks of 8 bits', () => {
  it('are scale times code', () => {
    const codes = Int8Array.of(-128, 127, 1, 0);
    const blocks = { rows: 2, columns: 2, blockSize: 2, codes, scales: Float32Array.of(0.5, 2) };
    assert.deepEqual([...dequantize8(blocks)], [-64, 63.5, 2, 0]);
  });
});
