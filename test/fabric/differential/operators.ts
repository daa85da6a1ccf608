import { F32, F64, I32, I64, V128 } from '../../../src/core/wasm/code.ts';

/** An instruction that takes values of `params` from the stack and leaves one of `result`. */
export interface Operator {
  readonly bytes: readonly number[];
  readonly params: readonly number[];
  readonly result: number;
  /** Its result depends on NaN bits that the specification leaves open, if its operands have such. */
  readonly tellsNans: boolean;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

const plain = (opcodes: readonly number[], params: readonly number[], result: number, tellsNans = false): Operator[] =>
  opcodes.map((opcode) => ({ bytes: [opcode], params, result, tellsNans }));

const saturating = (subs: readonly number[], param: number, result: number): Operator[] =>
  subs.map((sub) => ({ bytes: [0xfc, sub], params: [param], result, tellsNans: false }));

const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, value >> 7]);

/** Vectors show their bits to all that takes their lanes, so all float arithmetic on them counts as telling. */
const vector = (
  subs: readonly number[],
  params: readonly number[],
  result: number,
  { lanes = 0, tells = false } = {},
): Operator[] =>
  subs.flatMap((sub) =>
    Array.from({ length: Math.max(1, lanes) }, (_, lane) => ({
      bytes: [0xfd, ...leb(sub), ...(lanes > 0 ? [lane] : [])],
      params,
      result,
      tellsNans: tells,
    })),
  );

const TELLS = { tells: true };

/** The numeric instructions of core specification 5.4.7 and 5.4.8 (fixed-width SIMD). */
export const OPERATORS: readonly Operator[] = [
  ...plain([0x45, ...range(0x67, 0x69), 0xc0, 0xc1], [I32], I32),
  ...plain([...range(0x46, 0x4f), ...range(0x6a, 0x78)], [I32, I32], I32),
  ...plain([0x50, 0xa7], [I64], I32),
  ...plain([...range(0x79, 0x7b), ...range(0xc2, 0xc4)], [I64], I64),
  ...plain(range(0x51, 0x5a), [I64, I64], I32),
  ...plain(range(0x7c, 0x8a), [I64, I64], I64),
  ...plain(range(0x5b, 0x60), [F32, F32], I32),
  ...plain(range(0x61, 0x66), [F64, F64], I32),
  ...plain(range(0x8b, 0x91), [F32], F32),
  ...plain(range(0x92, 0x97), [F32, F32], F32),
  ...plain([0x98], [F32, F32], F32, true),
  ...plain(range(0x99, 0x9f), [F64], F64),
  ...plain(range(0xa0, 0xa5), [F64, F64], F64),
  ...plain([0xa6], [F64, F64], F64, true),
  ...plain([0xac, 0xad], [I32], I64),
  ...plain([0xb2, 0xb3], [I32], F32),
  ...plain([0xb7, 0xb8], [I32], F64),
  ...plain([0xb4, 0xb5], [I64], F32),
  ...plain([0xb9, 0xba], [I64], F64),
  ...plain([0xb6], [F64], F32),
  ...plain([0xbb], [F32], F64),
  ...plain([0xbc], [F32], I32, true),
  ...plain([0xbd], [F64], I64, true),
  ...plain([0xbe], [I32], F32),
  ...plain([0xbf], [I64], F64),
  ...saturating([0, 1], F32, I32),
  ...saturating([2, 3], F64, I32),
  ...saturating([4, 5], F32, I64),
  ...saturating([6, 7], F64, I64),
  ...vector([15, 16, 17], [I32], V128),
  ...vector([18], [I64], V128),
  ...vector([19], [F32], V128, TELLS),
  ...vector([20], [F64], V128, TELLS),
  ...vector([21, 22], [V128], I32, { lanes: 16 }),
  ...vector([24, 25], [V128], I32, { lanes: 8 }),
  ...vector([27], [V128], I32, { lanes: 4 }),
  ...vector([29], [V128], I64, { lanes: 2 }),
  ...vector([31], [V128], F32, { lanes: 4 }),
  ...vector([33], [V128], F64, { lanes: 2 }),
  ...vector([23], [V128, I32], V128, { lanes: 16 }),
  ...vector([26], [V128, I32], V128, { lanes: 8 }),
  ...vector([28], [V128, I32], V128, { lanes: 4 }),
  ...vector([30], [V128, I64], V128, { lanes: 2 }),
  ...vector([32], [V128, F32], V128, { lanes: 4, tells: true }),
  ...vector([34], [V128, F64], V128, { lanes: 2, tells: true }),
  ...vector([14, ...range(35, 76), ...range(78, 81)], [V128, V128], V128),
  ...vector([82], [V128, V128, V128], V128),
  ...vector([77, 96, 97, 98, ...range(124, 129), ...range(135, 138), 160, 161], [V128], V128),
  ...vector([...range(167, 170), 192, 193, ...range(199, 202)], [V128], V128),
  ...vector([83, 99, 100, 131, 132, 163, 164, 195, 196], [V128], I32),
  ...vector([107, 108, 109, 139, 140, 141, 171, 172, 173, 203, 204, 205], [V128, I32], V128),
  ...vector([101, 102, 110, 111, 112, 113, 114, 115, 118, 119, 120, 121, 123], [V128, V128], V128),
  ...vector([130, 133, 134, ...range(142, 147), 149, 150, 151, 152, 153, 155, ...range(156, 159)], [V128, V128], V128),
  ...vector([174, 177, 181, 182, 183, 184, 185, 186, 188, 189, 190, 191, 206, 209], [V128, V128], V128),
  ...vector(range(213, 223), [V128, V128], V128),
  ...vector([94, 95, 103, 104, 105, 106, 116, 117, 122, 148, 224, 225, 227, 236, 237, 239], [V128], V128, TELLS),
  ...vector([...range(228, 235), ...range(240, 247)], [V128, V128], V128, TELLS),
  ...vector(range(248, 255), [V128], V128),
];

/** Conversions that trap on NaN and on what does not fit. */
export const TRAPPING: readonly Operator[] = [
  ...plain([0xa8, 0xa9], [F32], I32),
  ...plain([0xaa, 0xab], [F64], I32),
  ...plain([0xae, 0xaf], [F32], I64),
  ...plain([0xb0, 0xb1], [F64], I64),
];

const memory = (opcodes: readonly number[], type: number): [readonly number[], number][] =>
  opcodes.map((opcode) => [[opcode, 0], type]);

/** Loads and stores: what comes before their offset, and the type. */
export const LOADS = [
  ...memory([0x28, 0x2c, 0x2d, 0x2e, 0x2f], I32),
  ...memory([0x29, ...range(0x30, 0x35)], I64),
  ...memory([0x2a], F32),
  ...memory([0x2b], F64),
  ...[...range(0, 10), 92, 93].map((sub): [readonly number[], number] => [[0xfd, sub, 0], V128]),
];
export const STORES = [
  ...memory([0x36, 0x3a, 0x3b], I32),
  ...memory([0x37, 0x3c, 0x3d, 0x3e], I64),
  ...memory([0x38], F32),
  ...memory([0x39], F64),
  [[0xfd, 11, 0], V128] as [readonly number[], number],
];

/** Loads into and stores out of one lane: what comes before their offset, and how many lanes there are. */
export const LANE_LOADS = range(84, 87).map((sub): [readonly number[], number] => [[0xfd, sub, 0], 16 >> (sub - 84)]);
export const LANE_STORES = range(88, 91).map((sub): [readonly number[], number] => [[0xfd, sub, 0], 16 >> (sub - 88)]);
