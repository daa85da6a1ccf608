import { Code, F64, I32, I64 } from '../../../src/core/wasm/code.ts';
import { encodeModule } from '../../../src/core/wasm/encoder.ts';
import { IMMEDIATE, MISC, OPCODE, PLAIN, SIMD } from '../../../src/fabric/guard/opcodes.ts';

const F32 = 0x7d;
const V128 = 0x7b;
const LOAD: Readonly<Record<number, readonly number[]>> = {
  [I32]: [0x28, 0, 0],
  [I64]: [0x29, 0, 0],
  [F32]: [0x2a, 0, 0],
  [F64]: [0x2b, 0, 0],
  [V128]: [OPCODE.simd, 0, 0, 0],
};
const STORE: Readonly<Record<number, readonly number[]>> = {
  [I32]: [0x36, 0, 0],
  [I64]: [0x37, 0, 0],
  [F32]: [0x38, 0, 0],
  [F64]: [0x39, 0, 0],
  [V128]: [OPCODE.simd, 11, 0, 0],
};
const SCALARS = [I32, I64, F32, F64];
/** What computing instructions take and give: found by trying which the validator accepts. */
const SIGNATURES: readonly (readonly [params: readonly number[], result: number])[] = [
  ...SCALARS.flatMap((a) => SCALARS.flatMap((r) => [[[a], r] as const, [[a, a], r] as const])),
  [[V128], V128],
  [[V128, V128], V128],
  [[V128, V128, V128], V128],
  [[V128, I32], V128],
  [[V128], I32],
  ...SCALARS.map((a) => [[a], V128] as const),
];

/** An instruction without immediates that computes a value of others. */
export interface Instruction {
  readonly name: string;
  readonly bytes: readonly number[];
  readonly params: readonly number[];
  readonly result: number;
  /** Can it trap? */
  readonly traps: boolean;
}

/** Divisions and remainders, and truncations that do not saturate. */
const traps = (opcode: number): boolean =>
  (opcode >= 0x6d && opcode <= 0x70) ||
  (opcode >= 0x7f && opcode <= 0x82) ||
  (opcode >= 0xa8 && opcode <= 0xab) ||
  (opcode >= 0xae && opcode <= 0xb1);

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >>> 7];
}

/** Every computing instruction that the guard lets through. */
export function computing(): Instruction[] {
  const plain = Array.from({ length: 0xc5 - 0x45 }, (_, index) => [index + 0x45]);
  const prefixed = ([prefix, space]: readonly [number, typeof MISC]): number[][] =>
    [...space.immediate.keys()]
      .filter((sub) => space.immediate[sub] === IMMEDIATE.none)
      .map((sub) => [prefix, ...leb(sub)]);
  const all = [
    ...plain.filter(([opcode]) => PLAIN.immediate[opcode!] === IMMEDIATE.none),
    ...[[OPCODE.misc, MISC] as const, [OPCODE.simd, SIMD] as const].flatMap(prefixed),
  ];
  return all.flatMap((bytes) => {
    const found = SIGNATURES.find(([params, result]) =>
      WebAssembly.validate(
        encodeModule({
          functions: [{ params, results: [result], code: params.reduce((c, _, i) => c.get(i), new Code()).raw(bytes) }],
        }),
      ),
    );
    if (found === undefined) return [];
    const [params, result] = found;
    const name = bytes.map((byte) => byte.toString(16)).join(' ');
    return [{ name, bytes, params, result, traps: bytes.length === 1 && traps(bytes[0]!) }];
  });
}

const OPERANDS = 1024;
const RESULTS = 16_384;
const STRIDE = 16;

/** Bit patterns where engines and processors could differ: 16 bytes each. */
const PATTERNS: readonly (readonly [bigint, bigint])[] = [
  [0n, 0n],
  [0x8000_0000_0000_0000n, 0x8000_0000_8000_0000n],
  [0x7ff0_0000_0000_0000n, 0x7f80_0000_ff80_0000n],
  [0xfff0_0000_0000_0000n, 0xff80_0000_7f80_0000n],
  [0x7ff8_0000_0000_0000n, 0x7fc0_0000_7fc0_0000n],
  [0xfff8_dead_beef_0001n, 0xffc0_0001_7fc1_2345n],
  [0x7ff0_0000_0000_0001n, 0x7f80_0001_ff80_0001n],
  [0x3ff8_0000_0000_0000n, 0x3fc0_0000_bf00_0000n],
  [0xbff8_0000_0000_0000n, 0xbfc0_0000_3f00_0000n],
  [0x0000_0000_0000_0001n, 0x0000_0001_8000_0001n],
  [0x7fef_ffff_ffff_ffffn, 0x7f7f_ffff_ff7f_ffffn],
  [0x41df_ffff_ffe0_0000n, 0x4f00_0000_cf00_0000n],
  [0xc1e0_0000_0020_0000n, 0x5f00_0000_df00_0000n],
  [0x43e0_0000_0000_0000n, 0x4e80_0001_ce80_0001n],
  [0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn],
  [0x0123_4567_89ab_cdefn, 0xfedc_ba98_7654_3210n],
];

/** How many operands there are to choose from. */
export const OPERAND_COUNT = PATTERNS.length;

/**
 * A module whose `run(a, b)` puts every instruction's value for the operands number a and b into memory, one after the other.
 * A third operand is the first one again.
 */
export function trying(instructions: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const code = new Code();
  instructions.forEach(({ bytes, params, result }, index) => {
    code.i32(RESULTS + STRIDE * index);
    params.forEach((type, at) => {
      code
        .get(at % 2)
        .i32(STRIDE)
        .op('i32_mul')
        .i32(OPERANDS)
        .op('i32_add')
        .raw(LOAD[type]!);
    });
    code.raw(bytes).raw(STORE[result]!);
  });
  const operands = new BigUint64Array(PATTERNS.flat());
  return encodeModule({
    functions: [{ params: [I32, I32], results: [I32], code: code.i32(0), export: 'run' }],
    memory: { min: 1, max: 1, export: 'memory' },
    data: [{ offset: OPERANDS, bytes: new Uint8Array(operands.buffer) }],
  });
}
