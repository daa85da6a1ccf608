import { fromFloat16, readBfloat16, readFloat16, readFloat32, roundToFloat16, toFloat16 } from './float16.ts';
import { BLOCK, TENSOR_TYPES, type GgufTensor } from './gguf-format.ts';
import { dequantize4, dequantize8 } from './quantize.ts';
import type { Blocks4, Blocks8 } from './types.ts';

/*
 * Blocks of a matrix's rows, 32 columns each, as GGML lays them out: Q4_0 and Q8_0 scale and codes, Q4_1 scale, minimum and codes.
 * Of 4-bit codes a byte holds columns i (low half) and i + 16.
 */

const HALF = BLOCK / 2;

const half = (bytes: Uint8Array, at: number): number => fromFloat16(bytes[at]! | (bytes[at + 1]! << 8));

/** A tensor of any type in single precision; a view where it is F32 and lies at a multiple of 4. */
export function unpack({ type, shape, bytes }: GgufTensor): Float32Array {
  switch (type) {
    case 'F32':
      return readFloat32(bytes);
    case 'F16':
      return readFloat16(bytes);
    case 'BF16':
      return readBfloat16(bytes);
    case 'Q4_0':
    case 'Q4_1':
      return dequantize4(unpackBlocks4(bytes, type, shape));
    case 'Q8_0':
      return dequantize8(unpackBlocks8(bytes, shape));
  }
}

function rowsAndColumns(shape: readonly number[]): { rows: number; columns: number } {
  return { rows: shape.slice(0, -1).reduce((product, side) => product * side, 1), columns: shape.at(-1)! };
}

/** 4-bit blocks of Q4_0 (codes are about 8) or Q4_1. */
export function unpackBlocks4(bytes: Uint8Array, type: 'Q4_0' | 'Q4_1', shape: readonly number[]): Blocks4 {
  const { rows, columns } = rowsAndColumns(shape);
  const { size } = TENSOR_TYPES[type];
  const count = (rows * columns) / BLOCK;
  const codes = new Uint8Array(count * HALF);
  const scales = new Float32Array(count);
  const minima = new Float32Array(count);
  for (let block = 0; block < count; block++) {
    const at = block * size;
    const scale = (scales[block] = half(bytes, at));
    minima[block] = type === 'Q4_0' ? -8 * scale : half(bytes, at + 2);
    const packed = at + size - HALF;
    for (let i = 0; i < HALF; i += 2) {
      const [first, second] = [bytes[packed + i]!, bytes[packed + i + 1]!];
      codes[block * HALF + i / 2] = (first & 15) | ((second & 15) << 4);
      codes[block * HALF + HALF / 2 + i / 2] = (first >> 4) | (second & 0xf0);
    }
  }
  return { rows, columns, blockSize: BLOCK, codes, scales, minima };
}

/** 8-bit blocks of Q8_0. */
export function unpackBlocks8(bytes: Uint8Array, shape: readonly number[]): Blocks8 {
  const { rows, columns } = rowsAndColumns(shape);
  const { size } = TENSOR_TYPES.Q8_0;
  const count = (rows * columns) / BLOCK;
  const codes = new Int8Array(count * BLOCK);
  const scales = new Float32Array(count);
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let block = 0; block < count; block++) {
    const at = block * size;
    scales[block] = half(bytes, at);
    codes.set(signed.subarray(at + 2, at + size), block * BLOCK);
  }
  return { rows, columns, blockSize: BLOCK, codes, scales };
}

/** The bytes of Q4_1. Scales and minima must be of half precision. */
export function packBlocks4({ codes, scales, minima }: Blocks4): Uint8Array {
  const { size } = TENSOR_TYPES.Q4_1;
  const bytes = new Uint8Array(scales.length * size);
  for (let block = 0; block < scales.length; block++) {
    const at = block * size;
    setHalf(bytes, at, scales[block]!);
    setHalf(bytes, at + 2, minima[block]!);
    for (let i = 0; i < HALF; i += 2) {
      const [first, second] = [codes[block * HALF + i / 2]!, codes[block * HALF + HALF / 2 + i / 2]!];
      bytes[at + 4 + i] = (first & 15) | ((second & 15) << 4);
      bytes[at + 5 + i] = (first >> 4) | (second & 0xf0);
    }
  }
  return bytes;
}

/** The bytes of Q8_0. Scales must be of half precision. */
export function packBlocks8({ codes, scales }: Blocks8): Uint8Array {
  const { size } = TENSOR_TYPES.Q8_0;
  const bytes = new Uint8Array(scales.length * size);
  const signed = new Int8Array(bytes.buffer);
  for (let block = 0; block < scales.length; block++) {
    const at = block * size;
    setHalf(bytes, at, scales[block]!);
    signed.set(codes.subarray(block * BLOCK, (block + 1) * BLOCK), at + 2);
  }
  return bytes;
}

/** The bytes of F16: the halves nearest to the values. */
export function packFloat16(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(2 * values.length);
  for (let i = 0; i < values.length; i++) setHalf(bytes, 2 * i, values[i]!);
  return bytes;
}

/** Can half precision hold these without a change? */
export const areFloat16 = (values: Float32Array): boolean => values.every((value) => roundToFloat16(value) === value);

function setHalf(bytes: Uint8Array, at: number, value: number): void {
  const bits = toFloat16(value);
  bytes[at] = bits & 0xff;
  bytes[at + 1] = bits >> 8;
}
