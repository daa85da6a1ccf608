import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { HOW_TO_GET_WASMTIME, noWasmtime, wasmtimeBuild } from './release.ts';

/** C types as the table of functions below writes them, and what they are in JavaScript. */
interface Types {
  readonly void: void;
  readonly bool: boolean;
  readonly uint32_t: number;
  readonly size_t: number;
  /** An address. Bytes may be passed as they are, for as long as the call lasts. */
  readonly 'void *': bigint;
  /** The same to C; a result that can be NULL. */
  readonly 'void*': bigint | null;
}
type Argument<T extends keyof Types> = T extends 'void *' ? bigint | Uint8Array | null : Types[T];

const P = 'void *';
/** An error that the caller owns, NULL where there is none. */
const E = 'void*';
const Z = 'size_t';

/**
 * What is used of wasmtime's C API: results and parameters as in its headers (`wasm.h`, `wasmtime/*.h`), all of them taken
 * from `_bindings.py` of the wheel that the library comes in.
 */
const FUNCTIONS = {
  wasm_config_new: [P, []],
  wasm_engine_new_with_config: [P, [P]],
  wasm_byte_vec_delete: ['void', [P]],
  wasm_trap_delete: ['void', [P]],
  wasm_trap_origin: [E, [P]],
  wasm_frame_module_offset: [Z, [P]],
  wasm_frame_delete: ['void', [P]],
  wasmtime_error_message: ['void', [P, P]],
  wasmtime_error_delete: ['void', [P]],
  wasmtime_trap_code: ['bool', [P, P]],
  wasmtime_module_new: [E, [P, P, Z, P]],
  wasmtime_module_delete: ['void', [P]],
  wasmtime_linker_new: [P, [P]],
  wasmtime_linker_instantiate_pre: [E, [P, P, P]],
  wasmtime_instance_pre_instantiate: [E, [P, P, P, P]],
  wasmtime_instance_pre_delete: ['void', [P]],
  wasmtime_instance_export_get: ['bool', [P, P, P, Z, P]],
  wasmtime_store_new: [P, [P, P, P]],
  wasmtime_store_context: [P, [P]],
  wasmtime_store_delete: ['void', [P]],
  wasmtime_memory_data: [P, [P, P]],
  wasmtime_memory_data_size: [Z, [P, P]],
  wasmtime_global_get: ['void', [P, P, P]],
  wasmtime_global_set: [E, [P, P, P]],
  wasmtime_func_call_unchecked: [E, [P, P, P, Z, P]],
  wasmtime_pooling_allocation_config_new: [P, []],
  wasmtime_pooling_allocation_config_delete: ['void', [P]],
  wasmtime_pooling_allocation_strategy_set: ['void', [P, P]],
} as const satisfies Record<string, readonly [keyof Types, readonly (keyof Types)[]]>;

type Arguments<A extends readonly (keyof Types)[]> = { -readonly [Index in keyof A]: Argument<A[Index]> };
type Native<F> = F extends readonly [infer R extends keyof Types, infer A extends readonly (keyof Types)[]]
  ? (...args: Arguments<A>) => Types[R]
  : never;

/** The functions, callable. They check nothing: a wrong address is the end of the process. */
export type Wasmtime = { readonly [Name in keyof typeof FUNCTIONS]: Native<(typeof FUNCTIONS)[Name]> } & {
  /** Calls `void name(void *target, type value)`: the settings of a configuration. */
  set(target: bigint, name: string, type: 'bool' | 'uint32_t' | 'size_t', value: boolean | number): void;
};

/**
 * Bytes of native stack under a call: koffi runs functions on a stack of its own, and agents run on that. The guard's depth
 * limit ends a recursion well before; see `MAX_WASM_STACK`.
 */
export const CALL_STACK = 8 * 1_048_576;

/**
 * Loads the library into this process, once its bytes were found to be the pinned ones.
 * @throws {ChimeraError} CHIMERA_SETUP where it is not there, is another one or cannot be loaded
 */
export function loadWasmtime(path: string): Wasmtime {
  const build = wasmtimeBuild();
  let actual: string;
  try {
    actual = hash('sha256', readFileSync(path));
  } catch (error) {
    throw noWasmtime(`there is no library at ${path}; ${HOW_TO_GET_WASMTIME}`, error);
  }
  if (actual !== build?.librarySha256) throw noWasmtime(`${path} is not the pinned library; ${HOW_TO_GET_WASMTIME}`);
  try {
    // It cannot be set once a library was loaded, not even to what it is.
    if (koffi.config().sync_stack_size !== CALL_STACK) koffi.config({ sync_stack_size: CALL_STACK });
    const library = koffi.load(path);
    const functions = Object.entries(FUNCTIONS).map(([name, [result, parameters]]) => [
      name,
      library.func(name, result, [...parameters]),
    ]);
    const set: Wasmtime['set'] = (target, name, type, value) => library.func(name, 'void', [P, type])(target, value);
    return { ...Object.fromEntries(functions), set } as Wasmtime;
  } catch (error) {
    throw noWasmtime(`${path} cannot be loaded: ${(error as Error).message}`, error);
  }
}

/** Native memory of this process at a fixed address, for what passes between here and the library. Never freed. */
export class NativeBlock {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #used = 0;

  constructor(size: number) {
    const pointer: unknown = koffi.alloc('uint8_t', size);
    const buffer = koffi.view(pointer, size);
    this.address = koffi.address(pointer);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
  }

  /** The offset of `size` bytes that nobody else has, aligned to 16. */
  reserve(size: number): number {
    const at = this.#used;
    this.#used += Math.ceil(size / 16) * 16;
    if (this.#used > this.bytes.length) throw new RangeError('the native block is full');
    return at;
  }

  /** The address of an offset. */
  at(offset: number): bigint {
    return this.address + BigInt(offset);
  }
}

/** Memory that the library owns, as it is now. Nothing may be read through it once the library has given it back. */
export const nativeView = (address: bigint, size: number): ArrayBuffer => koffi.view(address, size);
