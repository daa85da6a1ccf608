import { ChimeraError } from '../../contracts/errors.ts';
import { createEngine } from './config.ts';
import { EXTERN, INSTANCE_BYTES, RAW_BYTES, VALUE, VALUE_KIND, VECTOR } from './layout.ts';
import { NativeBlock, nativeView } from './library.ts';
import type { Wasmtime } from './library.ts';
import { WasmtimeTrap, kindOf } from './traps.ts';

const BLOCK_BYTES = 4096;
/** Parameters of the widest function that is called. */
const MAX_VALUES = 16;

/** A module that wasmtime compiled. */
export interface NativeModule {
  /** The address; undefined once it was given back. */
  pre: bigint | undefined;
  /** What was compiled: a trap names its instruction by the offset in it. */
  readonly bytes: Uint8Array;
}

/** A live instance: the store it lives in. */
export interface NativeInstance {
  readonly module: NativeModule;
  readonly store: bigint;
  readonly context: bigint;
}

/** A looked-up export: good until its instance is released. */
export interface Handle {
  /** Offset in the block of the host. */
  readonly at: number;
  /** The address there, and that of the union in it. */
  readonly address: bigint;
  readonly of: bigint;
}

interface Name {
  readonly address: bigint;
  readonly length: number;
  readonly handle: Handle;
}

/**
 * wasmtime in this process, as far as agents need it: modules in, instances, calls, traps out. Everything that passes by
 * address lies in one block of native memory, so only one instance lives at a time and nothing here is re-entered.
 */
export class WasmtimeHost {
  readonly block = new NativeBlock(BLOCK_BYTES);
  readonly #wasmtime: Wasmtime;
  readonly #engine: bigint;
  readonly #linker: bigint;
  readonly #names = new Map<string, Name>();
  /** Where in the block what is. */
  readonly places = {
    out: this.block.reserve(8),
    trap: this.block.reserve(8),
    instance: this.block.reserve(INSTANCE_BYTES),
    vector: this.block.reserve(VECTOR.size),
    value: this.block.reserve(VALUE.size),
    values: this.block.reserve(MAX_VALUES * RAW_BYTES),
  };
  readonly #out = this.block.at(this.places.out);
  readonly #trap = this.block.at(this.places.trap);
  readonly #instance = this.block.at(this.places.instance);
  readonly #vector = this.block.at(this.places.vector);
  readonly #value = this.block.at(this.places.value);
  readonly #values = this.block.at(this.places.values);
  /** By address and size. */
  readonly #views = new Map<bigint, Map<number, ArrayBuffer>>();
  #live = false;

  constructor(wasmtime: Wasmtime) {
    this.#wasmtime = wasmtime;
    this.#engine = createEngine(wasmtime);
    this.#linker = wasmtime.wasmtime_linker_new(this.#engine);
  }

  /** Compiles a module without imports. Throws an Error that says why wasmtime does not accept it. */
  compile(bytes: Uint8Array): NativeModule {
    const { wasmtime_module_new, wasmtime_linker_instantiate_pre, wasmtime_module_delete } = this.#wasmtime;
    this.#check(wasmtime_module_new(this.#engine, bytes, bytes.length, this.#out));
    const module = this.block.view.getBigUint64(this.places.out, true);
    try {
      this.#check(wasmtime_linker_instantiate_pre(this.#linker, module, this.#out));
    } finally {
      wasmtime_module_delete(module);
    }
    return { pre: this.block.view.getBigUint64(this.places.out, true), bytes };
  }

  /** Gives a module back; its code goes with its last instance. */
  free(module: NativeModule): void {
    if (module.pre !== undefined) this.#wasmtime.wasmtime_instance_pre_delete(module.pre);
    module.pre = undefined;
  }

  /** A fresh instance in a store of its own. Throws {@link WasmtimeTrap} where a segment does not fit. */
  instantiate(module: NativeModule): NativeInstance {
    const { pre } = module;
    if (this.#live) throw new ChimeraError('CHIMERA_INTERNAL', { why: 'one instance lives at a time' });
    if (pre === undefined) throw new ChimeraError('CHIMERA_INTERNAL', { why: 'the module was given back' });
    const { wasmtime_store_new, wasmtime_store_context, wasmtime_instance_pre_instantiate } = this.#wasmtime;
    const store = wasmtime_store_new(this.#engine, null, null);
    this.#live = true;
    const instance = { module, store, context: wasmtime_store_context(store) };
    try {
      this.#clearTrap();
      this.#check(wasmtime_instance_pre_instantiate(pre, instance.context, this.#instance, this.#trap));
      this.#throwTrap(module);
      return instance;
    } catch (error) {
      this.release(instance);
      throw error;
    }
  }

  release({ store }: NativeInstance): void {
    this.#wasmtime.wasmtime_store_delete(store);
    this.#live = false;
  }

  /** Looks up an export of the instance that was made last. */
  export({ context }: NativeInstance, name: string, kind: number): Handle {
    const { address, length, handle } = this.#names.get(name) ?? this.#addName(name);
    const { wasmtime_instance_export_get } = this.#wasmtime;
    const found = wasmtime_instance_export_get(context, this.#instance, address, length, handle.address);
    if (!found || this.block.bytes[handle.at + EXTERN.kind] !== kind) {
      throw new ChimeraError('CHIMERA_INTERNAL', { why: `the module has no export ${name} of kind ${kind}` });
    }
    return handle;
  }

  /** The bytes of a memory as they are now. */
  memory({ context }: NativeInstance, handle: Handle): ArrayBuffer {
    const size = this.#wasmtime.wasmtime_memory_data_size(context, handle.of);
    const address = this.#wasmtime.wasmtime_memory_data(context, handle.of);
    // The pool has two slots, so memories begin at one of two addresses.
    let slot = this.#views.get(address);
    if (slot === undefined) this.#views.set(address, (slot = new Map()));
    let view = slot.get(size);
    if (view === undefined) slot.set(size, (view = size === 0 ? new ArrayBuffer(0) : nativeView(address, size)));
    return view;
  }

  /** An i64 global. */
  global({ context }: NativeInstance, handle: Handle): bigint {
    this.#wasmtime.wasmtime_global_get(context, handle.of, this.#value);
    return this.block.view.getBigInt64(this.places.value + VALUE.of, true);
  }

  setGlobal({ context }: NativeInstance, handle: Handle, value: bigint): void {
    this.block.view.setUint8(this.places.value + VALUE.kind, VALUE_KIND.i64);
    this.block.view.setBigInt64(this.places.value + VALUE.of, value, true);
    this.#check(this.#wasmtime.wasmtime_global_set(context, handle.of, this.#value));
  }

  /**
   * Calls a function; an i32 is passed as a number, an i64 as a bigint, as its type says: nothing checks it.
   * @returns the first result, an i32; anything where the function has none
   */
  call({ module, context }: NativeInstance, handle: Handle, values: readonly (number | bigint)[]): number {
    const { view } = this.block;
    let at = this.places.values;
    for (const value of values) {
      if (typeof value === 'bigint') view.setBigInt64(at, value, true);
      else view.setInt32(at, value, true);
      at += RAW_BYTES;
    }
    this.#clearTrap();
    const count = Math.max(1, values.length);
    this.#check(this.#wasmtime.wasmtime_func_call_unchecked(context, handle.of, this.#values, count, this.#trap));
    this.#throwTrap(module);
    return view.getInt32(this.places.values, true);
  }

  #addName(name: string): Name {
    const text = new TextEncoder().encode(name);
    const place = this.block.reserve(text.length);
    const at = this.block.reserve(EXTERN.size);
    this.block.bytes.set(text, place);
    const handle = { at, address: this.block.at(at), of: this.block.at(at + EXTERN.of) };
    const added = { address: this.block.at(place), length: text.length, handle };
    this.#names.set(name, added);
    return added;
  }

  /** Throws what an error of the library says, and gives it back. */
  #check(error: bigint | null): void {
    if (error === null) return;
    const { wasmtime_error_message, wasmtime_error_delete, wasm_byte_vec_delete } = this.#wasmtime;
    wasmtime_error_message(error, this.#vector);
    const size = Number(this.block.view.getBigUint64(this.places.vector + VECTOR.length, true));
    const data = this.block.view.getBigUint64(this.places.vector + VECTOR.data, true);
    const message = new TextDecoder().decode(new Uint8Array(nativeView(data, size)).slice());
    wasm_byte_vec_delete(this.#vector);
    wasmtime_error_delete(error);
    throw new Error(message);
  }

  #clearTrap(): void {
    this.block.view.setBigUint64(this.places.trap, 0n, true);
  }

  #throwTrap(module: NativeModule): void {
    const trap = this.block.view.getBigUint64(this.places.trap, true);
    if (trap === 0n) return;
    const { wasmtime_trap_code, wasm_trap_origin, wasm_frame_module_offset, wasm_frame_delete, wasm_trap_delete } =
      this.#wasmtime;
    const known = wasmtime_trap_code(trap, this.#out);
    const code = known ? this.block.bytes[this.places.out]! : -1;
    const frame = wasm_trap_origin(trap);
    let opcode: number | undefined;
    if (frame !== null) {
      opcode = module.bytes[wasm_frame_module_offset(frame)];
      wasm_frame_delete(frame);
    }
    wasm_trap_delete(trap);
    throw new WasmtimeTrap(code, kindOf(code, opcode));
  }
}
