import { IMMEDIATE, MISC, OPCODE, PLAIN, SIMD, refusedFeature } from './opcodes.ts';
import type { Reader } from './reader.ts';
import { refuse } from './refusal.ts';

/** Value types an agent may use: numbers, vectors, `funcref`, `externref`. */
export function isValueType(byte: number): boolean {
  return (byte >= 0x7b && byte <= 0x7f) || byte === 0x70 || byte === 0x6f;
}

export function readValueType(reader: Reader): number {
  const byte = reader.byte();
  if (!isValueType(byte)) {
    refuse(
      byte === 0x69 || byte === 0x74 ? 'exceptions' : byte >= 0x40 ? 'gc' : 'malformed',
      `value type ${hex(byte)}`,
    );
  }
  return byte;
}

export const hex = (value: number): string => `0x${value.toString(16).padStart(2, '0')}`;

/** The decoded instruction; one object, reused, because a module has millions of them. */
export interface Instruction {
  opcode: number;
  /** The opcode after a prefix byte, else 0. */
  sub: number;
  delta: number;
  price: number;
  /** The first index immediate (label, function, type, block type), else 0. */
  index: number;
  /** Labels of a `br_table`. */
  labels: number[];
}

export const newInstruction = (): Instruction => ({ opcode: 0, sub: 0, delta: 0, price: 0, index: 0, labels: [] });

/** Block type values of {@link Instruction.index}: a type index, or one of these. */
export const BLOCK_VOID = -1;
export const BLOCK_ONE = -2;

function readMemoryArgument(reader: Reader): void {
  const alignment = reader.u32();
  if (alignment >= 0x40) refuse('multi-memory', `memory argument at byte ${reader.at}`);
  reader.u32();
}

function readBlockType(reader: Reader): number {
  const first = reader.bytes[reader.at] ?? 0;
  if ((first & 0xc0) !== 0x40) return reader.u32();
  if (first === 0x40) {
    reader.at++;
    return BLOCK_VOID;
  }
  readValueType(reader);
  return BLOCK_ONE;
}

function readImmediate(reader: Reader, kind: number, into: Instruction): void {
  switch (kind) {
    case IMMEDIATE.none:
      return;
    case IMMEDIATE.index:
      into.index = reader.u32();
      return;
    case IMMEDIATE.block:
      into.index = readBlockType(reader);
      return;
    case IMMEDIATE.branchTable: {
      const count = reader.count('branch targets', 65_520) + 1;
      into.labels = [];
      for (let i = 0; i < count; i++) into.labels.push(reader.u32());
      return;
    }
    case IMMEDIATE.callIndirect:
    case IMMEDIATE.twoIndices:
      into.index = reader.u32();
      reader.u32();
      return;
    case IMMEDIATE.memory:
      readMemoryArgument(reader);
      return;
    case IMMEDIATE.memoryByte:
      readMemoryArgument(reader);
      reader.byte();
      return;
    case IMMEDIATE.i32:
      reader.skipLeb(5);
      return;
    case IMMEDIATE.i64:
      reader.skipLeb(10);
      return;
    case IMMEDIATE.bytes4:
      reader.skip(4);
      return;
    case IMMEDIATE.bytes8:
      reader.skip(8);
      return;
    case IMMEDIATE.bytes16:
      reader.skip(16);
      return;
    case IMMEDIATE.byte:
      reader.byte();
      return;
    case IMMEDIATE.types: {
      const count = reader.count('result types of select', 1);
      for (let i = 0; i < count; i++) readValueType(reader);
      return;
    }
    case IMMEDIATE.zero:
      if (reader.byte() !== 0) refuse('multi-memory', `memory index at byte ${reader.at - 1}`);
      return;
    case IMMEDIATE.referenceType: {
      const type = reader.byte();
      if (type !== 0x70 && type !== 0x6f) refuse('gc', `reference type ${hex(type)}`);
      return;
    }
    default:
      refuse('unknown-opcode', `immediate at byte ${reader.at}`);
  }
}

/** Decodes one instruction into `into` and passes over it. Refuses whatever has no row in the tables. */
export function readInstruction(reader: Reader, into: Instruction): void {
  const opcode = reader.byte();
  into.opcode = opcode;
  into.sub = 0;
  into.index = 0;
  if (opcode === OPCODE.misc || opcode === OPCODE.simd) {
    const sub = reader.u32();
    const space = opcode === OPCODE.misc ? MISC : SIMD;
    if (opcode === OPCODE.simd && sub >= 0x100) refuse('relaxed-simd', `opcode 0xfd ${sub}`);
    if (sub >= space.immediate.length || space.immediate[sub] === IMMEDIATE.refused) {
      refuse('unknown-opcode', `opcode ${hex(opcode)} ${sub}`);
    }
    into.sub = sub;
    into.delta = space.delta[sub]!;
    into.price = space.price[sub]!;
    readImmediate(reader, space.immediate[sub]!, into);
    return;
  }
  const kind = PLAIN.immediate[opcode]!;
  if (kind === IMMEDIATE.refused) refuse(refusedFeature(opcode), `opcode ${hex(opcode)} at byte ${reader.at - 1}`);
  into.delta = PLAIN.delta[opcode]!;
  into.price = PLAIN.price[opcode]!;
  readImmediate(reader, kind, into);
}

/** Opcodes of the constant expressions that an agent may use: constants, `global.get`, `ref.null`, `ref.func`. */
const CONSTANT = new Set([0x41, 0x42, 0x43, 0x44, 0x23, 0xd0, 0xd2]);

/** Passes over one constant expression with its `end`. */
export function skipConstantExpression(reader: Reader): void {
  const instruction = newInstruction();
  for (;;) {
    readInstruction(reader, instruction);
    const { opcode, sub } = instruction;
    if (opcode === OPCODE.end) return;
    if (CONSTANT.has(opcode) || (opcode === OPCODE.simd && sub === 12)) continue;
    refuse('extended-const', `opcode ${hex(opcode)} in a constant expression`);
  }
}
