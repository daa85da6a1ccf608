import { PRICES } from './prices.ts';
import type { RefusalRule } from './refusal.ts';

/** What follows an opcode in the byte stream. */
export const IMMEDIATE = {
  refused: 0,
  none: 1,
  index: 2,
  block: 3,
  branchTable: 4,
  callIndirect: 5,
  memory: 6,
  i32: 7,
  i64: 8,
  bytes4: 9,
  bytes8: 10,
  types: 11,
  zero: 12,
  referenceType: 13,
  twoIndices: 14,
  bytes16: 15,
  byte: 16,
  memoryByte: 17,
} as const;

/** Three parallel tables of one opcode space. `delta` is the change of the operand stack's height. */
export interface OpcodeTable {
  readonly immediate: Uint8Array;
  readonly delta: Int8Array;
  readonly price: Uint8Array;
}

type Row = readonly [from: number, to: number, immediate: number, delta: number, price: number];

function table(size: number, rows: readonly Row[]): OpcodeTable {
  const result = { immediate: new Uint8Array(size), delta: new Int8Array(size), price: new Uint8Array(size) };
  for (const [from, to, immediate, delta, price] of rows) {
    result.immediate.fill(immediate, from, to + 1);
    result.delta.fill(delta, from, to + 1);
    result.price.fill(price, from, to + 1);
  }
  return result;
}

const I = IMMEDIATE;
const { free, simple, access, divide, call, callIndirect, vector, bulk } = PRICES;

/** Opcodes that the rewriter itself must know. */
export const OPCODE = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  memoryGrow: 0x40,
  misc: 0xfc,
  simd: 0xfd,
} as const;

/** One-byte opcodes (core specification 5.4): later rows refine earlier ones. */
export const PLAIN = table(256, [
  [0x00, 0x01, I.none, 0, free],
  [0x02, 0x03, I.block, 0, free],
  [0x04, 0x04, I.block, -1, simple],
  [0x05, 0x05, I.none, 0, free],
  [0x0b, 0x0b, I.none, 0, free],
  [0x0c, 0x0c, I.index, 0, simple],
  [0x0d, 0x0d, I.index, -1, simple],
  [0x0e, 0x0e, I.branchTable, -1, PRICES.table],
  [0x0f, 0x0f, I.none, 0, simple],
  [0x10, 0x10, I.index, 0, call],
  [0x11, 0x11, I.callIndirect, -1, callIndirect],
  [0x1a, 0x1a, I.none, -1, free],
  [0x1b, 0x1b, I.none, -2, simple],
  [0x1c, 0x1c, I.types, -2, simple],
  [0x20, 0x20, I.index, 1, simple],
  [0x21, 0x21, I.index, -1, simple],
  [0x22, 0x22, I.index, 0, simple],
  [0x23, 0x23, I.index, 1, simple],
  [0x24, 0x24, I.index, -1, simple],
  [0x25, 0x25, I.index, 0, access],
  [0x26, 0x26, I.index, -2, access],
  [0x28, 0x35, I.memory, 0, access],
  [0x36, 0x3e, I.memory, -2, access],
  [0x3f, 0x3f, I.zero, 1, simple],
  [0x40, 0x40, I.zero, 0, bulk],
  [0x41, 0x41, I.i32, 1, simple],
  [0x42, 0x42, I.i64, 1, simple],
  [0x43, 0x43, I.bytes4, 1, simple],
  [0x44, 0x44, I.bytes8, 1, simple],
  [0x45, 0xc4, I.none, -1, simple],
  [0x45, 0x45, I.none, 0, simple],
  [0x50, 0x50, I.none, 0, simple],
  [0x67, 0x69, I.none, 0, simple],
  [0x6d, 0x70, I.none, -1, divide],
  [0x79, 0x7b, I.none, 0, simple],
  [0x7f, 0x82, I.none, -1, divide],
  [0x8b, 0x90, I.none, 0, simple],
  [0x91, 0x91, I.none, 0, divide],
  [0x95, 0x95, I.none, -1, divide],
  [0x99, 0x9e, I.none, 0, simple],
  [0x9f, 0x9f, I.none, 0, divide],
  [0xa3, 0xa3, I.none, -1, divide],
  [0xa7, 0xc4, I.none, 0, simple],
  [0xd0, 0xd0, I.referenceType, 1, simple],
  [0xd1, 0xd1, I.none, 0, simple],
  [0xd2, 0xd2, I.index, 1, simple],
]);

/** Opcodes after the prefix 0xfc: saturating conversions, bulk memory, tables. */
export const MISC = table(18, [
  [0, 7, I.none, 0, simple],
  [8, 8, I.twoIndices, -3, bulk],
  [9, 9, I.index, 0, simple],
  [10, 10, I.twoIndices, -3, bulk],
  [11, 11, I.index, -3, bulk],
  [12, 12, I.twoIndices, -3, bulk],
  [13, 13, I.index, 0, simple],
  [14, 14, I.twoIndices, -3, bulk],
  [15, 15, I.index, -1, bulk],
  [16, 16, I.index, 1, simple],
  [17, 17, I.index, -3, bulk],
]);

/** Which of {@link MISC} have a size on top of the stack that is priced, and in what it is counted. */
export const SIZED_MISC: ReadonlyMap<number, 'bytes' | 'elements'> = new Map([
  [8, 'bytes'],
  [10, 'bytes'],
  [11, 'bytes'],
  [12, 'elements'],
  [14, 'elements'],
  [15, 'elements'],
  [17, 'elements'],
]);

const unary = (from: number, to = from): Row => [from, to, I.none, 0, vector];
const gap = (from: number, to = from): Row => [from, to, I.refused, 0, 0];

/** Opcodes after the prefix 0xfd: fixed-width SIMD. From 0x100 on it is relaxed SIMD, whose results depend on the CPU. */
export const SIMD = table(256, [
  [0, 255, I.none, -1, vector],
  [0, 10, I.memory, 0, vector],
  [11, 11, I.memory, -2, vector],
  [12, 12, I.bytes16, 1, vector],
  [13, 13, I.bytes16, -1, vector],
  unary(15, 20),
  [21, 34, I.byte, 0, vector],
  ...[23, 26, 28, 30, 32, 34].map((replace): Row => [replace, replace, I.byte, -1, vector]),
  unary(77),
  [82, 82, I.none, -2, vector],
  unary(83),
  [84, 87, I.memoryByte, -1, vector],
  [88, 91, I.memoryByte, -2, vector],
  [92, 93, I.memory, 0, vector],
  unary(94, 100),
  unary(103, 106),
  unary(116, 117),
  unary(122),
  unary(124, 129),
  unary(131, 132),
  unary(135, 138),
  unary(148),
  gap(154),
  unary(160, 161),
  gap(162),
  unary(163, 164),
  gap(165, 166),
  unary(167, 170),
  gap(175, 176),
  gap(178, 180),
  gap(187),
  unary(192, 193),
  gap(194),
  unary(195, 196),
  gap(197, 198),
  unary(199, 202),
  gap(207, 208),
  gap(210, 212),
  unary(224, 225),
  gap(226),
  unary(227),
  unary(236, 237),
  gap(238),
  unary(239),
  unary(248, 255),
]);

/** The proposal that an opcode without a row belongs to. */
export function refusedFeature(opcode: number): RefusalRule {
  if (opcode === 0x12 || opcode === 0x13) return 'tail-calls';
  if ((opcode >= 0x06 && opcode <= 0x0a) || opcode === 0x18 || opcode === 0x19 || opcode === 0x1f) return 'exceptions';
  if (opcode === 0x14 || opcode === 0x15 || (opcode >= 0xd4 && opcode <= 0xd6)) return 'function-references';
  if (opcode === 0xd3 || opcode === 0xfb) return 'gc';
  if (opcode === 0xfe) return 'threads';
  return 'unknown-opcode';
}
