import type { TrapKind } from '../../core/execution/types.ts';

/** A trap of wasmtime's, once it was taken out of the native object. */
export class WasmtimeTrap extends Error {
  readonly kind: TrapKind | undefined;

  constructor(code: number, kind: TrapKind | undefined) {
    super(`trap ${code}`);
    this.kind = kind;
  }
}

/** `wasmtime_trap_code_t` (wasmtime/trap.h). Stack overflow is none of them: the guard's depth limit comes first. */
const KINDS: Readonly<Record<number, TrapKind>> = {
  1: 'memory-out-of-bounds',
  3: 'table-out-of-bounds',
  4: 'indirect-call',
  5: 'indirect-call',
  7: 'integer-divide-by-zero',
  8: 'invalid-conversion',
  9: 'unreachable',
};
const INTEGER_OVERFLOW = 6;
/** `i32.div_s` and `i64.div_s`. */
const SIGNED_DIVISIONS = new Set([0x6d, 0x7f]);

/**
 * The kind of trap that a code is. Wasmtime has one code for a quotient and for a truncated float that does not fit, V8 one
 * each: there the instruction tells.
 * @param opcode first byte of the instruction that trapped
 */
export function kindOf(code: number, opcode: number | undefined): TrapKind | undefined {
  if (code !== INTEGER_OVERFLOW) return KINDS[code];
  return opcode !== undefined && SIGNED_DIVISIONS.has(opcode) ? 'integer-overflow' : 'invalid-conversion';
}

export function classify(error: unknown): TrapKind | undefined {
  return error instanceof WasmtimeTrap ? error.kind : undefined;
}
