import { EXTERNREF, F32, F64, FUNCREF, I32, I64, V128 } from '../../src/core/wasm/code.ts';

/** A constant of a test script, as `json-from-wast` writes it: floats as the integer of their bits. */
export interface Constant {
  readonly type: string;
  readonly lane_type?: string;
  readonly value?: string | readonly string[];
}

/** A reference: null, any function, or the object of the host with a number. */
export type Reference = 'null' | 'function' | `host ${string}`;

/** A value of any engine: the bits of a number or a vector, lane 0 lowest, or a reference. */
export type Value = bigint | Reference;

const WIDTHS: Readonly<Record<string, number>> = { i8: 8, i16: 16, i32: 32, i64: 64, f32: 32, f64: 64 };
const BITS: ReadonlySet<number> = new Set([I32, I64, F32, F64, V128]);

/** Is it a number or a vector, so that it has bits? */
export const hasBits = (valueType: number): boolean => BITS.has(valueType);

const lanesOf = ({ type, lane_type: lane, value }: Constant): { width: number; lanes: readonly string[] } => ({
  width: WIDTHS[lane ?? type] ?? 0,
  lanes: typeof value === 'string' ? [value] : (value ?? []),
});

/** The value of an argument. */
export function valueOf(constant: Constant): Value {
  const { type, value } = constant;
  if (type.endsWith('ref')) {
    if (value === 'null') return 'null';
    return type === 'funcref' ? 'function' : `host ${String(value)}`;
  }
  const { width, lanes } = lanesOf(constant);
  return lanes.reduce((bits, lane, i) => bits | (BigInt.asUintN(width, BigInt(lane)) << BigInt(i * width)), 0n);
}

/** Does a result fit what is expected, which may be a class of NaNs in each lane? */
export function fits(constant: Constant, value: Value): boolean {
  if (typeof value === 'string') return value === valueOf(constant);
  const { width, lanes } = lanesOf(constant);
  return lanes.every((lane, i) => {
    const actual = BigInt.asUintN(width, value >> BigInt(i * width));
    if (!lane.startsWith('nan:')) return BigInt.asUintN(width, BigInt(lane)) === actual;
    const quiet = width === 32 ? 0x7fc00000n : 0x7ff8000000000000n;
    const unsigned = BigInt.asUintN(width - 1, actual);
    return lane === 'nan:canonical' ? unsigned === quiet : (unsigned & quiet) === quiet;
  });
}

/** A value as JavaScript has it; of numbers only integers, since a float could lose the bits of a NaN. */
export function toJavaScript(value: Value, type: number): unknown {
  if (typeof value === 'bigint') return type === I64 ? value : Number(value);
  return value === 'null' ? null : hostObject(value);
}

/** The same back: the value of `type` that a result or a global is. */
export function fromJavaScript(given: unknown, type: number): Value {
  if (type === FUNCREF || type === EXTERNREF) {
    if (given === null) return 'null';
    return typeof given === 'function' ? 'function' : (given as HostObject).name;
  }
  if (type === I32 || type === I64) return BigInt.asUintN(type === I32 ? 32 : 64, BigInt(given as number | bigint));
  const view = new DataView(new ArrayBuffer(8));
  if (type === F32) view.setFloat32(0, given as number, true);
  else view.setFloat64(0, given as number, true);
  return view.getBigUint64(0, true);
}

interface HostObject {
  readonly name: Reference;
}

const objects = new Map<Reference, HostObject>();

function hostObject(name: Reference): HostObject {
  const known = objects.get(name) ?? { name };
  objects.set(name, known);
  return known;
}
