import { ByteWriter } from './bytes.ts';

/** Value types of the binary format. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export const FUNCREF = 0x70;
export const EXTERNREF = 0x6f;
/** The block type of a block without parameters and results. */
export const VOID = 0x40;

/** Instructions without an immediate, by their names in the text format with `.` as `_`. */
export const OP = {
  unreachable: 0x00,
  nop: 0x01,
  return: 0x0f,
  drop: 0x1a,
  select: 0x1b,
  i32_eqz: 0x45,
  i32_eq: 0x46,
  i32_ne: 0x47,
  i32_lt_s: 0x48,
  i32_lt_u: 0x49,
  i32_gt_s: 0x4a,
  i32_gt_u: 0x4b,
  i32_le_s: 0x4c,
  i32_le_u: 0x4d,
  i32_ge_s: 0x4e,
  i32_ge_u: 0x4f,
  i64_eqz: 0x50,
  i64_eq: 0x51,
  i64_ne: 0x52,
  i64_lt_s: 0x53,
  i64_lt_u: 0x54,
  i64_gt_s: 0x55,
  i64_gt_u: 0x56,
  i64_le_s: 0x57,
  i64_le_u: 0x58,
  i64_ge_s: 0x59,
  i64_ge_u: 0x5a,
  f64_eq: 0x61,
  f64_ne: 0x62,
  f64_lt: 0x63,
  f64_gt: 0x64,
  f64_le: 0x65,
  f64_ge: 0x66,
  i32_clz: 0x67,
  i32_ctz: 0x68,
  i32_popcnt: 0x69,
  i32_add: 0x6a,
  i32_sub: 0x6b,
  i32_mul: 0x6c,
  i32_div_s: 0x6d,
  i32_div_u: 0x6e,
  i32_rem_s: 0x6f,
  i32_rem_u: 0x70,
  i32_and: 0x71,
  i32_or: 0x72,
  i32_xor: 0x73,
  i32_shl: 0x74,
  i32_shr_s: 0x75,
  i32_shr_u: 0x76,
  i32_rotl: 0x77,
  i32_rotr: 0x78,
  i64_add: 0x7c,
  i64_sub: 0x7d,
  i64_mul: 0x7e,
  i64_div_s: 0x7f,
  i64_div_u: 0x80,
  i64_rem_s: 0x81,
  i64_rem_u: 0x82,
  i64_and: 0x83,
  i64_or: 0x84,
  i64_xor: 0x85,
  i64_shl: 0x86,
  i64_shr_s: 0x87,
  i64_shr_u: 0x88,
  f64_abs: 0x99,
  f64_neg: 0x9a,
  f64_ceil: 0x9b,
  f64_floor: 0x9c,
  f64_trunc: 0x9d,
  f64_nearest: 0x9e,
  f64_sqrt: 0x9f,
  f64_add: 0xa0,
  f64_sub: 0xa1,
  f64_mul: 0xa2,
  f64_div: 0xa3,
  f64_min: 0xa4,
  f64_max: 0xa5,
  f64_copysign: 0xa6,
  i32_wrap_i64: 0xa7,
  i32_trunc_f64_s: 0xaa,
  i32_trunc_f64_u: 0xab,
  i64_extend_i32_s: 0xac,
  i64_extend_i32_u: 0xad,
  f64_convert_i32_s: 0xb7,
  f64_convert_i32_u: 0xb8,
  f64_convert_i64_s: 0xb9,
  f64_convert_i64_u: 0xba,
  i64_reinterpret_f64: 0xbd,
  f64_reinterpret_i64: 0xbf,
} as const;

export type PlainOp = keyof typeof OP;

/** Loads and stores: opcode and natural alignment (log2 of bytes). */
export const MEMORY_OP = {
  i32_load: [0x28, 2],
  i64_load: [0x29, 3],
  f64_load: [0x2b, 3],
  i32_load8_s: [0x2c, 0],
  i32_load8_u: [0x2d, 0],
  i32_load16_u: [0x2f, 1],
  i32_store: [0x36, 2],
  i64_store: [0x37, 3],
  f64_store: [0x39, 3],
  i32_store8: [0x3a, 0],
  i32_store16: [0x3b, 1],
} as const;

export type MemoryOp = keyof typeof MEMORY_OP;

/**
 * Writes the body of one function, instruction by instruction, in the order of the text format's folded-out form.
 * It checks nothing about types (the engine's validator does); the closing `end` of the function is added by
 * `encodeModule`.
 */
export class Code {
  readonly #out = new ByteWriter();

  /** Instructions without an immediate: `code.op('i32_add', 'drop')`. */
  op(...names: readonly PlainOp[]): this {
    for (const name of names) this.#out.byte(OP[name]);
    return this;
  }

  i32(value: number): this {
    this.#out.byte(0x41).signed(value | 0);
    return this;
  }

  i64(value: number | bigint): this {
    this.#out.byte(0x42).signed(BigInt.asIntN(64, BigInt(value)));
    return this;
  }

  f64(value: number): this {
    this.#out.byte(0x44).float64(value);
    return this;
  }

  get(local: number): this {
    return this.#index(0x20, local);
  }

  set(local: number): this {
    return this.#index(0x21, local);
  }

  tee(local: number): this {
    return this.#index(0x22, local);
  }

  globalGet(global: number): this {
    return this.#index(0x23, global);
  }

  globalSet(global: number): this {
    return this.#index(0x24, global);
  }

  call(functionIndex: number): this {
    return this.#index(0x10, functionIndex);
  }

  /** A load or store; the address lies on the stack, `offset` is added to it. */
  memory(name: MemoryOp, offset = 0): this {
    const [opcode, alignment] = MEMORY_OP[name];
    this.#out.byte(opcode).unsigned(alignment).unsigned(offset);
    return this;
  }

  /** `type`: {@link VOID} or the one value type that the block leaves. */
  block(type: number = VOID): this {
    this.#out.byte(0x02).byte(type);
    return this;
  }

  loop(type: number = VOID): this {
    this.#out.byte(0x03).byte(type);
    return this;
  }

  if(type: number = VOID): this {
    this.#out.byte(0x04).byte(type);
    return this;
  }

  else(): this {
    this.#out.byte(0x05);
    return this;
  }

  end(): this {
    this.#out.byte(0x0b);
    return this;
  }

  /** Branch to the `depth`-th enclosing label. */
  br(depth: number): this {
    return this.#index(0x0c, depth);
  }

  brIf(depth: number): this {
    return this.#index(0x0d, depth);
  }

  memorySize(): this {
    this.#out.byte(0x3f).byte(0);
    return this;
  }

  memoryGrow(): this {
    this.#out.byte(0x40).byte(0);
    return this;
  }

  /** `memory.copy`: (destination, source, length) on the stack. */
  memoryCopy(): this {
    return this.raw([0xfc, 10, 0, 0]);
  }

  /** `memory.fill`: (destination, byte, length) on the stack. */
  memoryFill(): this {
    return this.raw([0xfc, 11, 0]);
  }

  /** Instruction bytes as they are, for what has no method here. */
  raw(bytes: ArrayLike<number>): this {
    this.#out.raw(bytes);
    return this;
  }

  /** A copy of the instructions so far. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#out.finish();
  }

  #index(opcode: number, index: number): this {
    this.#out.byte(opcode).unsigned(index);
    return this;
  }
}
