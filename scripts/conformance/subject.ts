import { DEPTH_EXPORT, FUEL_EXPORT } from '../../src/fabric/guard/guard.ts';
import type { GuardedModule } from '../../src/fabric/guard/guard.ts';
import type { FunctionType } from '../../src/fabric/guard/module.ts';
import { createMemories } from '../../src/fabric/v8/memory.ts';
import { classify } from '../../src/fabric/v8/traps.ts';
import { createCaller } from './caller.ts';
import { bitsOf, hasBits, referenceOf } from './values.ts';
import type { Constant } from './values.ts';

/** How a call ended: with results, as bits or, where there are references, as JavaScript values; or with a trap. */
export type Ending =
  { readonly bits: readonly bigint[] } | { readonly values: readonly unknown[] } | { readonly trap: string };

/** One instance of a module of the suite, plain or guarded. */
export interface Subject {
  call(field: string, type: FunctionType, args: readonly Constant[]): Ending;
  /** The value of an exported global. */
  get(field: string): unknown;
}

const FUEL = 10n ** 15n;
const DEPTH = 3000n;

/** An instance, or the trap that making it ended with. */
export function instantiate(
  bytes: Uint8Array<ArrayBuffer>,
  guarded?: GuardedModule,
): Subject | { readonly trap: string } {
  let exports: Record<string, unknown>;
  const counters = (): Record<string, WebAssembly.Global> => exports as Record<string, WebAssembly.Global>;
  const trapOf = (error: unknown): string => {
    if (guarded !== undefined && (counters()[FUEL_EXPORT]!.value as bigint) < 0n) return 'out-of-fuel';
    if (guarded !== undefined && (counters()[DEPTH_EXPORT]!.value as bigint) < 0n) return 'exhausted';
    return error instanceof RangeError ? 'exhausted' : (classify(error) ?? String(error));
  };
  try {
    const imports = guarded === undefined ? {} : createMemories(guarded)();
    exports = new WebAssembly.Instance(new WebAssembly.Module(guarded?.bytes ?? bytes), imports).exports;
  } catch (error) {
    return { trap: classify(error) ?? String(error) };
  }
  const callers = new Map<string, (args: readonly bigint[]) => bigint[]>();
  return {
    get: (field) => (exports[field] as WebAssembly.Global).value as unknown,
    call(field, type, args) {
      if (guarded !== undefined) {
        counters()[FUEL_EXPORT]!.value = FUEL;
        counters()[DEPTH_EXPORT]!.value = DEPTH;
      }
      try {
        if ([...type.params, ...type.results].every(hasBits)) {
          const caller = callers.get(field) ?? createCaller(exports[field], type);
          callers.set(field, caller);
          return { bits: caller(args.map(bitsOf)) };
        }
        const given = args.map((constant, i) =>
          hasBits(type.params[i]!) ? numberOf(constant) : referenceOf(constant),
        );
        const result = (exports[field] as (...given: unknown[]) => unknown)(...given);
        return { values: type.results.length === 1 ? [result] : ((result ?? []) as unknown[]) };
      } catch (error) {
        return { trap: trapOf(error) };
      }
    },
  };
}

/** Arguments beside references: the suite passes only integers there. */
const numberOf = (constant: Constant): number | bigint =>
  constant.type === 'i64' ? bitsOf(constant) : Number(bitsOf(constant));
