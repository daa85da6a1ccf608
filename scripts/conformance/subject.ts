import { DEPTH_EXPORT, FUEL_EXPORT } from '../../src/fabric/guard/guard.ts';
import type { GuardedModule } from '../../src/fabric/guard/guard.ts';
import type { FunctionType } from '../../src/fabric/guard/module.ts';
import { createMemories } from '../../src/fabric/v8/memory.ts';
import { classify } from '../../src/fabric/v8/traps.ts';
import { createCaller } from './caller.ts';
import { fromJavaScript, hasBits, toJavaScript } from './values.ts';
import type { Value } from './values.ts';

/** How a call ended: with results or with a trap. */
export type Ending = { readonly values: readonly Value[] } | { readonly trap: string };

/** One instance of a module of the suite, plain or guarded, on any engine. */
export interface Subject {
  call(field: string, type: FunctionType, args: readonly Value[]): Ending;
  /** The value of an exported global of a type. */
  get(field: string, type: number): Value;
}

/** An engine as the suite needs it. */
export interface Engine {
  readonly name: string;
  /** Does it take the bytes for a valid module? */
  validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  /** An instance of the module, or of what the guard made of it; or the trap that making it ended with. */
  instantiate(bytes: Uint8Array<ArrayBuffer>, guarded?: GuardedModule): Subject | { readonly trap: string };
  /** Gives back all instances. */
  release(): void;
}

/** What a guarded instance may take: nothing in the suite is to end for want of it but what recurses without end. */
export const GRANTED = { fuel: 10n ** 15n, depth: 3000n };

/** A trap of a guarded instance by its counters, before the engine is asked. */
export function starvation(fuel: bigint, depth: bigint): string | undefined {
  return fuel < 0n ? 'out-of-fuel' : depth < 0n ? 'exhausted' : undefined;
}

class V8Subject implements Subject {
  readonly #exports: Readonly<Record<string, unknown>>;
  readonly #guarded: boolean;
  readonly #callers = new Map<string, (args: readonly bigint[]) => bigint[]>();

  constructor(exports: Readonly<Record<string, unknown>>, guarded: boolean) {
    this.#exports = exports;
    this.#guarded = guarded;
  }

  get(field: string, type: number): Value {
    return fromJavaScript(this.#global(field).value, type);
  }

  call(field: string, type: FunctionType, args: readonly Value[]): Ending {
    if (this.#guarded) {
      this.#global(FUEL_EXPORT).value = GRANTED.fuel;
      this.#global(DEPTH_EXPORT).value = GRANTED.depth;
    }
    try {
      return { values: this.#results(field, type, args) };
    } catch (error) {
      return { trap: this.#trap(error) };
    }
  }

  #results(field: string, { params, results }: FunctionType, args: readonly Value[]): Value[] {
    if ([...params, ...results].every(hasBits)) {
      const caller = this.#callers.get(field) ?? createCaller(this.#exports[field], { params, results });
      this.#callers.set(field, caller);
      return caller(args as bigint[]);
    }
    const given = args.map((value, i) => toJavaScript(value, params[i]!));
    const result = (this.#exports[field] as (...given: unknown[]) => unknown)(...given);
    const all = results.length === 1 ? [result] : ((result ?? []) as unknown[]);
    return all.map((one, i) => fromJavaScript(one, results[i]!));
  }

  #trap(error: unknown): string {
    const counter = (name: string): bigint => this.#global(name).value as bigint;
    const starved = this.#guarded ? starvation(counter(FUEL_EXPORT), counter(DEPTH_EXPORT)) : undefined;
    return starved ?? (error instanceof RangeError ? 'exhausted' : (classify(error) ?? String(error)));
  }

  #global(name: string): WebAssembly.Global {
    return this.#exports[name] as WebAssembly.Global;
  }
}

export const V8: Engine = {
  name: 'V8',
  validate: (bytes) => WebAssembly.validate(bytes),
  instantiate(bytes, guarded) {
    try {
      const imports = guarded === undefined ? {} : createMemories(guarded)();
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(guarded?.bytes ?? bytes), imports);
      return new V8Subject(exports, guarded !== undefined);
    } catch (error) {
      return { trap: classify(error) ?? String(error) };
    }
  },
  /** The collector's work. */
  release() {},
};
