import { hash } from 'node:crypto';
import { DEPTH_EXPORT, FUEL_EXPORT } from '../../../src/fabric/guard/guard.ts';
import type { GuardedModule } from '../../../src/fabric/guard/guard.ts';
import { createMemories } from '../../../src/fabric/v8/memory.ts';
import { classify as classifyV8 } from '../../../src/fabric/v8/traps.ts';
import type { WasmtimeHost } from '../../../src/fabric/wasmtime/host.ts';
import { EXTERN_KIND } from '../../../src/fabric/wasmtime/layout.ts';
import { withOwnMemory } from '../../../src/fabric/wasmtime/own-memory.ts';
import { classify } from '../../../src/fabric/wasmtime/traps.ts';

/** What a call came to: the result or the kind of trap, the whole memory, and the fuel that is left where it returned. */
export interface Run {
  readonly result: unknown;
  readonly memory: string;
  readonly pages: number;
  readonly left: bigint | undefined;
  readonly starved: boolean;
}

const PAGE = 65_536;
const DEPTH = 100n;

const run = (call: () => number, kindOf: (error: unknown) => unknown, after: () => Omit<Run, 'result'>): Run => {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    result = kindOf(error) ?? String(error);
  }
  const { left, ...rest } = after();
  // At a trap the counter may lie in a local: only its sign counts, and that only where it ended the call.
  return { result, ...rest, left: typeof result === 'number' ? left : undefined };
};
const seen = (bytes: Uint8Array, left: bigint): Omit<Run, 'result'> => ({
  memory: hash('sha256', bytes),
  pages: bytes.length / PAGE,
  left,
  starved: left < 0n,
});

/** Calls `run` of a fresh instance on V8. */
export function onV8(guarded: GuardedModule, args: readonly number[], fuel: bigint): Run {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(guarded.bytes), createMemories(guarded)());
  const exports = instance.exports as Record<string, WebAssembly.Global> & {
    memory: WebAssembly.Memory;
    run(...args: readonly number[]): number;
  };
  exports[FUEL_EXPORT]!.value = fuel;
  exports[DEPTH_EXPORT]!.value = DEPTH;
  return run(
    () => exports.run(...args),
    classifyV8,
    () => seen(new Uint8Array(exports.memory.buffer), exports[FUEL_EXPORT]!.value as bigint),
  );
}

/** The same on wasmtime, for as many calls as one likes. */
export function onWasmtime(host: WasmtimeHost, guarded: GuardedModule): (args: readonly number[], fuel: bigint) => Run {
  const module = host.compile(withOwnMemory(guarded.bytes));
  return (args: readonly number[], fuel: bigint): Run => {
    const instance = host.instantiate(module);
    try {
      const left = host.export(instance, FUEL_EXPORT, EXTERN_KIND.global);
      const memory = host.export(instance, 'memory', EXTERN_KIND.memory);
      const program = host.export(instance, 'run', EXTERN_KIND.func);
      host.setGlobal(instance, left, fuel);
      host.setGlobal(instance, host.export(instance, DEPTH_EXPORT, EXTERN_KIND.global), DEPTH);
      return run(
        () => host.call(instance, program, args),
        classify,
        () => seen(new Uint8Array(host.memory(instance, memory)), host.global(instance, left)),
      );
    } finally {
      host.release(instance);
    }
  };
}
