import type { AgentInstance, AgentModule } from '../abi/instance.ts';
import { DEPTH_EXPORT, FUEL_EXPORT } from '../guard/guard.ts';
import type { GuardedModule } from '../guard/guard.ts';
import { refuse } from '../guard/refusal.ts';
import { WasmtimeHost } from './host.ts';
import type { Handle, NativeInstance, NativeModule } from './host.ts';
import { EXTERN_KIND } from './layout.ts';
import { loadWasmtime } from './library.ts';
import { withOwnMemory } from './own-memory.ts';
import { selfTest } from './self-test.ts';
import { classify } from './traps.ts';

class WasmtimeInstance implements AgentInstance {
  readonly #host: WasmtimeHost;
  readonly #instance: NativeInstance;
  readonly #memory: Handle;
  readonly #realloc: Handle;
  readonly #step: Handle;
  readonly #fuel: Handle;
  readonly #depth: Handle;
  /** Memory as the last call left it: between calls nobody grows it, and to ask costs as much as a small call. */
  #seen: ArrayBuffer | undefined;

  constructor(host: WasmtimeHost, instance: NativeInstance) {
    this.#host = host;
    this.#instance = instance;
    this.#memory = host.export(instance, 'memory', EXTERN_KIND.memory);
    this.#realloc = host.export(instance, 'cabi_realloc', EXTERN_KIND.func);
    this.#step = host.export(instance, 'step', EXTERN_KIND.func);
    this.#fuel = host.export(instance, FUEL_EXPORT, EXTERN_KIND.global);
    this.#depth = host.export(instance, DEPTH_EXPORT, EXTERN_KIND.global);
  }

  get memory(): ArrayBuffer {
    return (this.#seen ??= this.#host.memory(this.#instance, this.#memory));
  }

  get fuel(): number {
    return Number(this.#host.global(this.#instance, this.#fuel));
  }

  set fuel(value: number) {
    this.#host.setGlobal(this.#instance, this.#fuel, BigInt(value));
  }

  get depth(): number {
    return Number(this.#host.global(this.#instance, this.#depth));
  }

  set depth(value: number) {
    this.#host.setGlobal(this.#instance, this.#depth, BigInt(value));
  }

  realloc(old: number, oldSize: number, alignment: number, size: number): number {
    this.#seen = undefined;
    return this.#host.call(this.#instance, this.#realloc, [old, oldSize, alignment, size]);
  }

  step(...flat: readonly (number | bigint)[]): number {
    this.#seen = undefined;
    return this.#host.call(this.#instance, this.#step, flat);
  }

  release(): void {
    this.#host.release(this.#instance);
  }
}

/** Compiles guarded modules for wasmtime. */
export type CompileForWasmtime = (guarded: GuardedModule) => AgentModule;

/**
 * Loads the pinned library into this process, tests that it is understood, and returns its compiler. Only for child processes
 * that agents may end. What wasmtime does not accept of what the guard accepted is refused like by the guard: `invalid`.
 * @throws {ChimeraError} CHIMERA_SETUP where there is no such library, or it does not behave as it should
 */
export function openWasmtime(path: string): CompileForWasmtime {
  const host = new WasmtimeHost(loadWasmtime(path));
  selfTest(host);
  return (guarded) => {
    const module = compile(host, withOwnMemory(guarded.bytes));
    return {
      instantiate: () => open(host, host.instantiate(module)),
      classify,
      release: () => host.free(module),
    };
  };
}

function open(host: WasmtimeHost, instance: NativeInstance): AgentInstance {
  try {
    return new WasmtimeInstance(host, instance);
  } catch (error) {
    host.release(instance);
    throw error;
  }
}

function compile(host: WasmtimeHost, bytes: Uint8Array): NativeModule {
  try {
    return host.compile(bytes);
  } catch (error) {
    return refuse('invalid', `wasmtime does not accept the module: ${(error as Error).message}`);
  }
}
