import type { TrapKind } from '../../core/execution/types.ts';

/** V8's texts of traps (src/common/message-template.h, kTrap…), which are the only sign of what happened. */
const TEXTS: readonly (readonly [text: string, kind: TrapKind])[] = [
  ['unreachable', 'unreachable'],
  ['memory access out of bounds', 'memory-out-of-bounds'],
  ['data segment', 'memory-out-of-bounds'],
  ['divide by zero', 'integer-divide-by-zero'],
  ['remainder by zero', 'integer-divide-by-zero'],
  ['divide result unrepresentable', 'integer-overflow'],
  ['float unrepresentable', 'invalid-conversion'],
  ['table index is out of bounds', 'table-out-of-bounds'],
  ['table access out of bounds', 'table-out-of-bounds'],
  ['table or element', 'table-out-of-bounds'],
  ['element segment', 'table-out-of-bounds'],
  ['null function or function signature mismatch', 'indirect-call'],
];

/** The kind of a WebAssembly runtime error, or undefined where it is none that an agent can cause. */
export function classify(error: unknown): TrapKind | undefined {
  if (!(error instanceof WebAssembly.RuntimeError)) return undefined;
  return TEXTS.find(([text]) => error.message.includes(text))?.[1];
}
