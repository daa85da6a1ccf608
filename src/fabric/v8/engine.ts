import type { AgentInstance, AgentModule } from '../abi/instance.ts';
import { DEPTH_EXPORT, FUEL_EXPORT } from '../guard/guard.ts';
import type { GuardedModule } from '../guard/guard.ts';
import { createMemories } from './memory.ts';
import { classify } from './traps.ts';

type Exports = Readonly<Record<typeof FUEL_EXPORT | typeof DEPTH_EXPORT, WebAssembly.Global>> & {
  readonly memory: WebAssembly.Memory;
  readonly cabi_realloc: AgentInstance['realloc'];
  readonly step: AgentInstance['step'];
};

class V8Instance implements AgentInstance {
  readonly realloc: AgentInstance['realloc'];
  readonly step: AgentInstance['step'];
  readonly #exports: Exports;

  constructor(module: WebAssembly.Module, imports: object) {
    const exports = new WebAssembly.Instance(module, imports).exports as unknown as Exports;
    this.#exports = exports;
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

  /** The collector's work. */
  release(): void {}
}

/** Compiles a guarded module for V8. An instance's memory may be an earlier one that was wiped. */
export function compileForV8(guarded: GuardedModule): AgentModule {
  const module = new WebAssembly.Module(guarded.bytes);
  const imports = createMemories(guarded);
  return { instantiate: () => new V8Instance(module, imports()), classify };
}
