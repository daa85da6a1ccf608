/*
 * Half precision (IEEE 754 binary16), bfloat16 and single precision, by their bits: the same on every machine.
 */

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** Bits of 2⁻¹⁴, the smallest normal half, and of 2¹⁶, above all of them, in single precision. */
const SMALLEST_NORMAL = 0x38800000;
const ABOVE_ALL = 0x47800000;
const INFINITY = 0x7f800000;

/** The number that 16 bits of half precision are. */
export function fromFloat16(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000;
  if (exponent === 0) return ((sign === 0 ? 1 : -1) * fraction) / 0x1000000;
  word[0] = (sign << 16) | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
  return float[0]!;
}

/** The bits of the half nearest to `x`, a number of single precision; of two, the even one. Beyond 65504 it is infinite. */
export function toFloat16(x: number): number {
  float[0] = x;
  const sign = (word[0]! >>> 16) & 0x8000;
  const magnitude = word[0]! & 0x7fffffff;
  if (magnitude > INFINITY) return sign | 0x7e00;
  if (magnitude >= ABOVE_ALL) return sign | 0x7c00;
  if (magnitude < SMALLEST_NORMAL) {
    // Between ½ and 1, singles lie 2⁻²⁴ apart, as small halves do: the addition rounds.
    float[0] = Math.abs(x) + 0.5;
    return sign | (word[0]! - 0x3f000000);
  }
  const even = (magnitude >> 13) & 1;
  return sign | ((magnitude + 0xfff + even - (112 << 23)) >> 13);
}

/** The half nearest to `x`, as a number. */
export const roundToFloat16 = (x: number): number => fromFloat16(toFloat16(x));

/** Numbers of half precision, little-endian, at any place of a file. */
export function readFloat16(bytes: Uint8Array): Float32Array {
  const values = new Float32Array(bytes.length / 2);
  for (let i = 0; i < values.length; i++) values[i] = fromFloat16(bytes[2 * i]! | (bytes[2 * i + 1]! << 8));
  return values;
}

/** Numbers of bfloat16, the upper half of single precision, little-endian, at any place of a file. */
export function readBfloat16(bytes: Uint8Array): Float32Array {
  const words = new Uint32Array(bytes.length / 2);
  for (let i = 0; i < words.length; i++) words[i] = (bytes[2 * i]! << 16) | (bytes[2 * i + 1]! << 24);
  return new Float32Array(words.buffer);
}

/** Numbers of single precision, little-endian: a view of the file where they lie at a multiple of 4, else a copy. */
export function readFloat32(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Float32Array(buffer, byteOffset, bytes.length / 4);
}
