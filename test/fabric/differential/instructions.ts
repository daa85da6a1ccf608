import { newInstruction, readInstruction } from '../../../src/fabric/guard/instruction.ts';
import { functionBodies, parseModule } from '../../../src/fabric/guard/module.ts';
import { IMMEDIATE, MISC, OPCODE, PLAIN, SIMD } from '../../../src/fabric/guard/opcodes.ts';
import type { OpcodeTable } from '../../../src/fabric/guard/opcodes.ts';

/** What an instruction is for, so that a count of it says what was tried. */
export type InstructionClass =
  | 'control'
  | 'call'
  | 'select'
  | 'local'
  | 'global'
  | 'table'
  | 'reference'
  | 'load'
  | 'store'
  | 'memory size'
  | 'constant'
  | 'integer'
  | 'float'
  | 'conversion'
  | 'sign extension'
  | 'saturating'
  | 'bulk'
  | 'vector';

/** First opcode of each class; up to the next one everything is of it. */
const PLAIN_CLASSES: readonly (readonly [from: number, name: InstructionClass])[] = [
  [0x00, 'control'],
  [0x10, 'call'],
  [0x1a, 'select'],
  [0x20, 'local'],
  [0x23, 'global'],
  [0x25, 'table'],
  [0x28, 'load'],
  [0x36, 'store'],
  [0x3f, 'memory size'],
  [0x41, 'constant'],
  [0x45, 'integer'],
  [0x5b, 'float'],
  [0x67, 'integer'],
  [0x8b, 'float'],
  [0xa7, 'conversion'],
  [0xc0, 'sign extension'],
  [0xd0, 'reference'],
];

function classOf(opcode: number, sub: number): InstructionClass {
  if (opcode === OPCODE.simd) return 'vector';
  if (opcode === OPCODE.misc) return sub < 8 ? 'saturating' : sub < 12 ? 'bulk' : 'table';
  return PLAIN_CLASSES.findLast(([from]) => opcode >= from)![1];
}

const nameOf = (opcode: number, sub: number): string =>
  opcode === OPCODE.misc || opcode === OPCODE.simd ? `0x${opcode.toString(16)} ${sub}` : `0x${opcode.toString(16)}`;

const accepted = (table: OpcodeTable, prefix?: number): string[] =>
  [...table.immediate].flatMap((immediate, opcode) =>
    immediate === IMMEDIATE.refused ? [] : [prefix === undefined ? nameOf(opcode, 0) : nameOf(prefix, opcode)],
  );

/** Every instruction that the guard accepts. */
export const ACCEPTED: readonly string[] = [
  ...accepted(PLAIN),
  ...accepted(MISC, OPCODE.misc),
  ...accepted(SIMD, OPCODE.simd),
];

/** Counts the instructions of modules, by name and by class. */
export class InstructionCount {
  readonly names = new Map<string, number>();
  readonly classes = new Map<InstructionClass, number>();

  add(module: Uint8Array): void {
    const instruction = newInstruction();
    for (const { code } of functionBodies(parseModule(module, { memoryPages: 65_536, tableElements: 1000 }))) {
      while (!code.done) {
        readInstruction(code, instruction);
        const { opcode, sub } = instruction;
        count(this.names, nameOf(opcode, sub));
        count(this.classes, classOf(opcode, sub));
      }
    }
  }
}

const count = <K>(counts: Map<K, number>, key: K): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
