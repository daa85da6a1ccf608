import { F32, F64, I32, I64, V128 } from '../../src/core/wasm/code.ts';

/** A constant of a test script, as `json-from-wast` writes it: floats as the integer of their bits. */
export interface Constant {
  readonly type: string;
  readonly lane_type?: string;
  readonly value?: string | readonly string[];
}

const WIDTHS: Readonly<Record<string, number>> = { i8: 8, i16: 16, i32: 32, i64: 64, f32: 32, f64: 64 };
const TYPES: Readonly<Record<string, number>> = { i32: I32, i64: I64, f32: F32, f64: F64, v128: V128 };

/** Is it a number or a vector, so that it has bits? */
export const hasBits = (valueType: number): boolean => Object.values(TYPES).includes(valueType);

const lanesOf = ({ type, lane_type: lane, value }: Constant): { width: number; lanes: readonly string[] } => ({
  width: WIDTHS[lane ?? type] ?? 0,
  lanes: typeof value === 'string' ? [value] : (value ?? []),
});

/** The bits of an argument, lane 0 lowest. */
export function bitsOf(constant: Constant): bigint {
  const { width, lanes } = lanesOf(constant);
  return lanes.reduce((bits, lane, i) => bits | (BigInt.asUintN(width, BigInt(lane)) << BigInt(i * width)), 0n);
}

/** Do the bits of a result fit what is expected, which may be a class of NaNs in each lane? */
export function fits(constant: Constant, bits: bigint): boolean {
  const { width, lanes } = lanesOf(constant);
  return lanes.every((lane, i) => {
    const actual = BigInt.asUintN(width, bits >> BigInt(i * width));
    if (!lane.startsWith('nan:')) return BigInt.asUintN(width, BigInt(lane)) === actual;
    const quiet = width === 32 ? 0x7fc00000n : 0x7ff8000000000000n;
    const unsigned = BigInt.asUintN(width - 1, actual);
    return lane === 'nan:canonical' ? unsigned === quiet : (unsigned & quiet) === quiet;
  });
}

/** An argument or an expected result of a reference type as a JavaScript value: hosts' references are numbered objects. */
export function referenceOf({ value }: Constant): unknown {
  return typeof value === 'string' && value !== 'null' ? hostObject(Number(value)) : null;
}

const objects = new Map<number, object>();

function hostObject(index: number): object {
  const known = objects.get(index) ?? { index };
  objects.set(index, known);
  return known;
}
