import { invalidInput } from '../../contracts/errors.ts';
import { roundToFloat16 } from './float16.ts';
import { finite } from './problems.ts';
import type { Blocks4, Blocks8 } from './types.ts';

const LARGEST_CODE = 15;

/**
 * A matrix in 4-bit blocks: a block's least element is code 0, its greatest is code 15, and each is the code nearest to it (GGML's
 * Q4_1). Scales and minima are of half precision, as files hold them, and codes are chosen by those: what is written and read
 * again is the same.
 *
 * @param data [rows, columns]
 * @throws `CHIMERA_INVALID_INPUT` where columns are not whole blocks, or where a block is not finite or too wide for half precision
 */
export function quantizeBlocks4(data: Float32Array, rows: number, columns: number, blockSize = 32): Blocks4 {
  const what = `a matrix of ${rows} × ${columns}`;
  const blocks = (rows * columns) / blockSize;
  if (data.length !== rows * columns || columns % blockSize !== 0 || blockSize % 2 !== 0) {
    throw invalidInput(what, [
      { path: '', message: `its ${data.length} elements are not rows of blocks of ${blockSize}` },
    ]);
  }
  finite(data, 'data', what);
  const codes = new Uint8Array(data.length / 2);
  const scales = new Float32Array(blocks);
  const minima = new Float32Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const start = block * blockSize;
    let [least, greatest] = [data[start]!, data[start]!];
    for (let at = start + 1; at < start + blockSize; at++) {
      least = Math.min(least, data[at]!);
      greatest = Math.max(greatest, data[at]!);
    }
    const minimum = (minima[block] = roundToFloat16(least));
    const scale = (scales[block] = roundToFloat16((greatest - least) / LARGEST_CODE));
    const factor = scale === 0 ? 0 : 1 / scale;
    const code = (x: number): number => Math.max(0, Math.min(LARGEST_CODE, Math.round((x - minimum) * factor)));
    for (let at = start; at < start + blockSize; at += 2) codes[at / 2] = code(data[at]!) | (code(data[at + 1]!) << 4);
  }
  finite(minima, 'minima', what);
  finite(scales, 'scales', what);
  return { rows, columns, blockSize, codes, scales, minima };
}

/** The elements of 4-bit blocks: [rows, columns]. */
export function dequantize4({ rows, columns, blockSize, codes, scales, minima }: Blocks4): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let block = 0; block < scales.length; block++) {
    const [scale, minimum] = [scales[block]!, minima[block]!];
    for (let at = block * blockSize; at < (block + 1) * blockSize; at += 2) {
      const pair = codes[at / 2]!;
      values[at] = scale * (pair & 15) + minimum;
      values[at + 1] = scale * (pair >> 4) + minimum;
    }
  }
  return values;
}

/** The elements of 8-bit blocks: [rows, columns]. */
export function dequantize8({ rows, columns, blockSize, codes, scales }: Blocks8): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let block = 0; block < scales.length; block++) {
    const scale = scales[block]!;
    for (let at = block * blockSize; at < (block + 1) * blockSize; at++) values[at] = scale * codes[at]!;
  }
  return values;
}
