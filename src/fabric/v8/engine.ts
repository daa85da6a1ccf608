import type { AgentInstance, AgentModule } from '../abi/instance.ts';
import { DEPTH_EXPORT, FUEL_EXPORT } from '../guard/guard.ts';
import type { GuardedModule } from '../guard/guard.ts';
import { createMemories, WIPED_PAGES } from './memory.ts';
import { createReset, type Reset } from './reset.ts';
import { classify } from './traps.ts';

type Exports = Readonly<Record<typeof FUEL_EXPORT | typeof DEPTH_EXPORT, WebAssembly.Global>> & {
  readonly memory: WebAssembly.Memory;
  readonly cabi_realloc: AgentInstance['realloc'];
  readonly step: AgentInstance['step'];
};

class V8Instance implements AgentInstance {
  readonly realloc: AgentInstance['realloc'];
  readonly step: AgentInstance['step'];
  /** Makes it fresh again, where that can be done. */
  readonly reset: Reset | undefined;
  readonly #exports: Exports;
  readonly #released: (instance: V8Instance) => void;

  constructor(exports: Exports, reset: Reset | undefined, released: (instance: V8Instance) => void) {
    this.#exports = exports;
    this.reset = reset;
    this.#released = released;
    this.realloc = exports.cabi_realloc;
    this.step = exports.step;
  }

  get memory(): ArrayBuffer {
    return this.#exports.memory.buffer;
  }

  get fuel(): number {
    return Number(this.#exports[FUEL_EXPORT].value as bigint);
  }

  set fuel(value: number) {
    this.#exports[FUEL_EXPORT].value = BigInt(value);
  }

  get depth(): number {
    return Number(this.#exports[DEPTH_EXPORT].value as bigint);
  }

  set depth(value: number) {
    this.#exports[DEPTH_EXPORT].value = BigInt(value);
  }

  release(): void {
    this.#released(this);
  }
}

/**
 * Compiles a guarded module for V8. What `instantiate` gives is a new instance, or an earlier one that was put back to its first
 * state, byte for byte; or a new one whose memory is an earlier one that was wiped.
 */
export function compileForV8(guarded: GuardedModule): AgentModule {
  const module = new WebAssembly.Module(guarded.bytes);
  const imports = createMemories(guarded);
  const small = guarded.memory !== undefined && guarded.memory.initial <= WIPED_PAGES;
  let idle: V8Instance | undefined;
  const released = (instance: V8Instance): void => {
    if (instance.reset !== undefined) idle = instance;
  };
  return {
    instantiate() {
      const again = idle;
      idle = undefined;
      if (again?.reset?.() === true) return again;
      const exports = new WebAssembly.Instance(module, imports()).exports as unknown as Exports;
      return new V8Instance(exports, small ? createReset(exports, guarded) : undefined, released);
    },
    classify,
    /** The collector's work. */
    release() {},
  };
}
