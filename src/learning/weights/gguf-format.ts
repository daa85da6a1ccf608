/*
 * What a GGUF file is made of (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): magic, version, two counts, metadata, the
 * list of tensors, and their data from the next multiple of the alignment on. All little-endian.
 */

export const MAGIC = 'GGUF';
export const VERSION = 3;
export const DEFAULT_ALIGNMENT = 32;
export const ALIGNMENT_KEY = 'general.alignment';

/** Columns of a block of 4-bit or 8-bit codes. */
export const BLOCK = 32;

/** Types of metadata by their number in a file; `size` in bytes, the least where it varies. */
export const VALUE_TYPES = {
  uint8: { number: 0, size: 1 },
  int8: { number: 1, size: 1 },
  uint16: { number: 2, size: 2 },
  int16: { number: 3, size: 2 },
  uint32: { number: 4, size: 4 },
  int32: { number: 5, size: 4 },
  float32: { number: 6, size: 4 },
  bool: { number: 7, size: 1 },
  string: { number: 8, size: 8 },
  uint64: { number: 10, size: 8 },
  int64: { number: 11, size: 8 },
  float64: { number: 12, size: 8 },
} as const;
export const ARRAY = 9;

export type GgufScalarType = keyof typeof VALUE_TYPES;
/** 64-bit integers are bigints. */
export type GgufScalar = number | bigint | boolean | string;

/** A value of metadata with its type, so that it can be written again. */
export type GgufValue =
  | { readonly type: GgufScalarType; readonly value: GgufScalar }
  | { readonly type: 'array'; readonly of: GgufScalarType; readonly value: readonly GgufScalar[] };

export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** The types of tensors that are read: `size` bytes hold `block` elements. */
export const TENSOR_TYPES = {
  F32: { number: 0, block: 1, size: 4 },
  F16: { number: 1, block: 1, size: 2 },
  Q4_0: { number: 2, block: BLOCK, size: 18 },
  Q4_1: { number: 3, block: BLOCK, size: 20 },
  Q8_0: { number: 8, block: BLOCK, size: 34 },
  BF16: { number: 30, block: 1, size: 2 },
} as const;
export type GgufTensorType = keyof typeof TENSOR_TYPES;

/** Types that are not read, so that an error can name them. */
const OTHER_TENSOR_TYPES: ReadonlyMap<number, string> = new Map(
  [
    ...Object.entries({ 6: 'Q5_0', 7: 'Q5_1', 9: 'Q8_1', 10: 'Q2_K', 11: 'Q3_K', 12: 'Q4_K', 13: 'Q5_K', 14: 'Q6_K' }),
    ...Object.entries({
      15: 'Q8_K',
      16: 'IQ2_XXS',
      17: 'IQ2_XS',
      18: 'IQ3_XXS',
      19: 'IQ1_S',
      20: 'IQ4_NL',
      21: 'IQ3_S',
    }),
    ...Object.entries({ 22: 'IQ2_S', 23: 'IQ4_XS', 24: 'I8', 25: 'I16', 26: 'I32', 27: 'I64', 28: 'F64', 29: 'IQ1_M' }),
    ...Object.entries({ 34: 'TQ1_0', 35: 'TQ2_0', 39: 'MXFP4' }),
  ].map(([number, name]) => [Number(number), name]),
);

export const nameOfTensorType = (number: number): string =>
  OTHER_TENSOR_TYPES.get(number) ?? `of the unknown type ${number}`;

export interface GgufTensor {
  readonly type: GgufTensorType;
  /** [outputs, inputs], as checkpoints have it: GGUF lists sides the other way round. */
  readonly shape: readonly number[];
  /** A view of the file. */
  readonly bytes: Uint8Array;
}

/** What the head of a GGUF file says. */
export interface GgufHead {
  readonly metadata: GgufMetadata;
  /** By llama.cpp's names, in the order of the file. */
  readonly tensors: ReadonlyMap<string, Pick<GgufTensor, 'type' | 'shape'>>;
}

/** An open GGUF file. It holds views of its bytes. */
export interface GgufFile extends GgufHead {
  /** The file in errors. */
  readonly what: string;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}
