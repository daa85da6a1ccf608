import type { ByteWriter } from '../../core/wasm/bytes.ts';
import type { Instruction } from './instruction.ts';
import { OPCODE } from './opcodes.ts';

/** The types whose NaNs arithmetic makes with bits that the specification leaves open. */
export type FloatShape = 'f32' | 'f64' | 'f32x4' | 'f64x2';

/** A value that is to be canonical from byte `at` on, where it is the top of the stack. */
export interface Canonical {
  readonly at: number;
  readonly shape: FloatShape;
}

/** Who can tell one NaN from another: anybody by its bits, or who takes the lanes of a vector for another type's. */
const BITS = 1;
const AS_F32X4 = 2;
const AS_F64X2 = 4;
const TELLS: Readonly<Record<FloatShape, number>> = {
  f32: BITS,
  f64: BITS,
  f32x4: BITS | AS_F64X2,
  f64x2: BITS | AS_F32X4,
};

/** A value whose bits may be a NaN of arithmetic; all other values are `undefined`. */
interface Value {
  /** Of a result of arithmetic. */
  readonly shape?: FloatShape;
  /** Of what comes out of a local. */
  readonly local?: Local;
  /** Of what passes on the bits of others. */
  readonly sources: readonly Value[];
  readonly at: number;
  readonly depth: number;
  /** By whom it is looked at. */
  seen: number;
}

interface Local {
  readonly sources: Value[];
  readonly gets: Value[];
  seen: number;
  /** Does nothing but arithmetic and constants ever come in? Then a NaN in it has no payload to keep. */
  computed: boolean;
}

/** A constant or a converted integer: no NaN. */
const NUMBER: Value = { sources: [], at: -1, depth: 0, seen: 0 };

const within = (value: number, from: number, to: number): boolean => value >= from && value <= to;

/**
 * Finds the results of arithmetic whose NaN bits can be observed. The specification lets an engine choose sign and payload of
 * the NaN that arithmetic gives (core specification 4.3.3), so two engines, or two processors, may differ. Where such a
 * value only goes into arithmetic, comparisons and conversions, nobody can tell; where it is stored, passed on, returned or
 * taken apart bit by bit it is made the positive canonical NaN. Loads, constants, sign operations and copies keep the
 * bits that they are given, as specified.
 *
 * One pass with an abstract operand stack. Locals are followed over the whole function without regard to order: what is ever
 * put into one counts for all that is ever taken out.
 */
export class FloatTracker {
  readonly #stack: (Value | undefined)[] = [];
  readonly #locals = new Map<number, Local>();
  readonly #params: number;
  readonly #results: Value[] = [];
  /** Locals of which more is seen than their sources have been told. */
  readonly #pending: Local[] = [];

  constructor(params: number) {
    this.#params = params;
  }

  /** Sets the height of the stack; what is new on it came from elsewhere and is canonical or a copy. */
  resize(height: number): void {
    while (this.#stack.length < height) this.#stack.push(undefined);
    this.#stack.length = Math.max(0, height);
  }

  /** The topmost values leave the code that is followed: by a branch, a call, the end of a block. They stay on the stack. */
  observe(count: number): void {
    for (let i = 1; i <= count; i++) this.#look(this.#stack.at(-i), BITS);
  }

  /** One live instruction that is no block, branch or call. Its bytes end at `at`; `depth` loops are around it. */
  step({ opcode, sub, delta, index }: Instruction, at: number, depth: number, code: Uint8Array): void {
    if (opcode === 0x20) this.#get(index, at, depth);
    else if (opcode === 0x21) this.#set(index, this.#stack.pop());
    else if (opcode === 0x22) this.#set(index, this.#stack.at(-1));
    else if (opcode === 0x1a) this.#stack.pop();
    else if (opcode === 0x1b || opcode === 0x1c) {
      this.#stack.pop();
      this.#pass(2);
    } else if (opcode === 0x43) this.#stack.push(isNan32(code, at) ? undefined : NUMBER);
    else if (opcode === 0x44) this.#stack.push(isNan64(code, at) ? undefined : NUMBER);
    else if (within(opcode, 0x8d, 0x97) || opcode === 0xb6) this.#compute('f32', 0, 1 - delta, at, depth);
    else if (within(opcode, 0x9b, 0xa5) || opcode === 0xbb) this.#compute('f64', 0, 1 - delta, at, depth);
    else if (opcode === 0x98 || opcode === 0xa6) {
      // copysign: a NaN's sign becomes a number's, which arithmetic can tell.
      this.#look(this.#stack.pop(), BITS);
      this.#pass(1);
    } else if (within(opcode, 0x8b, 0x9a)) this.#pass(1);
    else if (within(opcode, 0xb2, 0xba)) this.#replace(0, 1, NUMBER);
    else if (within(opcode, 0x5b, 0x66) || within(opcode, 0xa8, 0xb1) || (opcode === OPCODE.misc && sub < 8)) {
      this.#replace(0, 1 - delta, undefined);
    } else if (opcode === OPCODE.simd) this.#vector(sub, delta, at, depth);
    else if (pushesNothing(opcode, sub)) this.#drop(-delta);
    else this.#replace(BITS, 1 - delta, undefined);
  }

  /** Where to canonicalise, in no order. */
  finish(): Canonical[] {
    const found: Canonical[] = [];
    // What is seen of a local is seen of all that went in, which may have come out of other locals.
    for (let local = this.#pending.pop(); local !== undefined; local = this.#pending.pop()) {
      if (!local.computed) for (const source of local.sources) this.#look(source, local.seen);
    }
    for (const local of this.#locals.values()) if (local.computed && local.seen !== 0) this.#place(local, found);
    for (const { shape, seen, at } of this.#results)
      if ((seen & TELLS[shape!]) !== 0) found.push({ at, shape: shape! });
    return found;
  }

  /** A computed local is made canonical where it is looked at, if that is in fewer loops than where it is computed. */
  #place(local: Local, found: Canonical[]): void {
    const looks = local.gets.filter(({ seen }) => seen !== 0);
    const deepest = (values: readonly Value[]): number => values.reduce((most, { depth }) => Math.max(most, depth), 0);
    const { shape } = local.sources.find((source) => source.shape !== undefined) ?? {};
    const alike = local.sources.every((source) => source.shape === shape || source === NUMBER);
    if (shape !== undefined && alike && deepest(looks) < deepest(local.sources)) {
      for (const { at, seen } of looks) if ((seen & TELLS[shape]) !== 0) found.push({ at, shape });
      return;
    }
    for (const source of local.sources) this.#look(source, local.seen);
  }

  #local(index: number): Local {
    let local = this.#locals.get(index);
    if (local === undefined) {
      local = { sources: [], gets: [], seen: 0, computed: index >= this.#params };
      this.#locals.set(index, local);
    }
    return local;
  }

  #get(index: number, at: number, depth: number): void {
    const local = this.#local(index);
    const value: Value = { local, sources: [], at, depth, seen: 0 };
    local.gets.push(value);
    this.#stack.push(value);
  }

  #set(index: number, value: Value | undefined): void {
    const local = this.#local(index);
    if (value === undefined || (value.shape === undefined && value !== NUMBER)) local.computed = false;
    if (value !== undefined) local.sources.push(value);
  }

  #compute(shape: FloatShape, looks: number, operands: number, at: number, depth: number): void {
    const value: Value = { shape, sources: [], at, depth, seen: 0 };
    this.#results.push(value);
    this.#replace(looks, operands, value);
  }

  /** Bits of the operands that come out again: of one of them, or all but the sign. `looks`: how it is decided which. */
  #pass(operands: number, looks = 0): void {
    const sources: Value[] = [];
    for (let i = 0; i < operands; i++) {
      const source = this.#stack.pop();
      this.#look(source, looks);
      if (source !== undefined) sources.push(source);
    }
    this.#stack.push(sources.length === 0 ? undefined : { sources, at: -1, depth: 0, seen: 0 });
  }

  #replace(looks: number, operands: number, result: Value | undefined): void {
    for (let i = 0; i < operands; i++) this.#look(this.#stack.pop(), looks);
    this.#stack.push(result);
  }

  #drop(operands: number): void {
    for (let i = 0; i < operands; i++) this.#look(this.#stack.pop(), BITS);
  }

  #vector(sub: number, delta: number, at: number, depth: number): void {
    const operands = 1 - delta;
    if (sub === 11 || within(sub, 88, 91)) this.#drop(2);
    else if (within(sub, 103, 106) || within(sub, 227, 233)) this.#compute('f32x4', AS_F32X4, operands, at, depth);
    else if (sub === 94) this.#compute('f32x4', AS_F64X2, operands, at, depth);
    else if (sub === 116 || sub === 117 || sub === 122 || sub === 148 || within(sub, 239, 245)) {
      this.#compute('f64x2', AS_F64X2, operands, at, depth);
    } else if (sub === 95) this.#compute('f64x2', AS_F32X4, operands, at, depth);
    else if (within(sub, 65, 70) || sub === 248 || sub === 249) this.#replace(AS_F32X4, operands, undefined);
    else if (within(sub, 71, 76) || sub === 252 || sub === 253) this.#replace(AS_F64X2, operands, undefined);
    else if (sub === 234 || sub === 235) this.#pass(operands, AS_F32X4);
    else if (sub === 246 || sub === 247) this.#pass(operands, AS_F64X2);
    else if (within(sub, 224, 225) || within(sub, 236, 237)) this.#pass(operands);
    else this.#replace(BITS, operands, undefined);
  }

  #look(value: Value | undefined, how: number): void {
    if (value === undefined) return;
    const waiting = [value];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { local } = next;
      if ((how & ~next.seen) === 0 || next === NUMBER) continue;
      next.seen |= how;
      waiting.push(...next.sources);
      if (local === undefined || (how & ~local.seen) === 0) continue;
      local.seen |= how;
      this.#pending.push(local);
    }
  }
}

/** `global.set`, `table.set`, stores, bulk operations; those of vectors are told apart elsewhere. */
function pushesNothing(opcode: number, sub: number): boolean {
  if (opcode === OPCODE.misc) return sub >= 8 && sub !== 15 && sub !== 16;
  return opcode <= 0x01 || opcode === 0x24 || opcode === 0x26 || within(opcode, 0x36, 0x3e);
}

const view = (code: Uint8Array, at: number): DataView => new DataView(code.buffer, code.byteOffset + at);
const isNan32 = (code: Uint8Array, end: number): boolean => Number.isNaN(view(code, end - 4).getFloat32(0, true));
const isNan64 = (code: Uint8Array, end: number): boolean => Number.isNaN(view(code, end - 8).getFloat64(0, true));

interface Form {
  /** Value type. */
  readonly type: number;
  /** The constant instruction of the canonical NaN, lane by lane. */
  readonly nan: readonly number[];
  readonly equal: readonly number[];
  /** (x, nan, x == x) -> x or nan. */
  readonly choose: readonly number[];
}

const NAN32 = [0, 0, 0xc0, 0x7f];
const NAN64 = [0, 0, 0, 0, 0, 0, 0xf8, 0x7f];
export const FORMS: Readonly<Record<FloatShape, Form>> = {
  f32: { type: 0x7d, nan: [0x43, ...NAN32], equal: [0x5b], choose: [0x1b] },
  f64: { type: 0x7c, nan: [0x44, ...NAN64], equal: [0x61], choose: [0x1b] },
  f32x4: { type: 0x7b, nan: [0xfd, 12, ...NAN32, ...NAN32, ...NAN32, ...NAN32], equal: [0xfd, 65], choose: [0xfd, 82] },
  f64x2: { type: 0x7b, nan: [0xfd, 12, ...NAN64, ...NAN64], equal: [0xfd, 71], choose: [0xfd, 82] },
};

/** Replaces the value on top of the stack, lane by lane, by the canonical NaN where it is one. `scratch`: a local of its type. */
export function writeCanonical(out: ByteWriter, shape: FloatShape, scratch: number): void {
  const { nan, equal, choose } = FORMS[shape];
  out.byte(0x22).unsigned(scratch).raw(nan);
  out.byte(0x20).unsigned(scratch).byte(0x20).unsigned(scratch).raw(equal).raw(choose);
}
