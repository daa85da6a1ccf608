import koffi from 'koffi';
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, V128 } from '../../src/core/wasm/code.ts';
import { DEPTH_EXPORT, FUEL_EXPORT } from '../../src/fabric/guard/guard.ts';
import type { GuardedModule } from '../../src/fabric/guard/guard.ts';
import type { FunctionType } from '../../src/fabric/guard/module.ts';
import { MAX_WASM_STACK } from '../../src/fabric/wasmtime/config.ts';
import { EXTERN, EXTERN_KIND, INSTANCE_BYTES, VALUE, VECTOR } from '../../src/fabric/wasmtime/layout.ts';
import { CALL_STACK, loadWasmtime, nativeView } from '../../src/fabric/wasmtime/library.ts';
import type { Wasmtime } from '../../src/fabric/wasmtime/library.ts';
import { withOwnMemory } from '../../src/fabric/wasmtime/own-memory.ts';
import { kindOf } from '../../src/fabric/wasmtime/traps.ts';
import { GRANTED, starvation } from './subject.ts';
import type { Ending, Engine, Subject } from './subject.ts';
import type { Value } from './values.ts';

/** Value types by their tags in `wasmtime_val_t`. */
const TYPES = [I32, I64, F32, F64, V128, FUNCREF, EXTERNREF];
/** `wasmtime_trap_code_t` of a native stack that is full. */
const STACK_OVERFLOW = 0;
/** Proposals that are on by themselves and that this version of the specification does not have. */
const LATER = ['gc', 'function_references', 'exceptions', 'tail_call', 'memory64', 'multi_memory', 'relaxed_simd'];

/** What the suite needs of the library and agents do not: values of every type. */
interface Wide {
  wasmtime_func_call(
    context: bigint,
    func: Uint8Array,
    args: Uint8Array,
    count: number,
    results: Uint8Array,
    resultCount: number,
    trap: Uint8Array,
  ): bigint | null;
  wasmtime_externref_new(context: bigint, data: bigint, finalizer: null, out: Uint8Array): boolean;
  wasmtime_externref_data(context: bigint, reference: Uint8Array): bigint | null;
}

const P = 'void *';

/** Signatures as `_bindings.py` of the wheel has them. */
function loadWide(path: string): Wide {
  const library = koffi.load(path);
  const functions: Record<keyof Wide, unknown> = {
    wasmtime_func_call: library.func('wasmtime_func_call', P, [P, P, P, 'size_t', P, 'size_t', P]),
    wasmtime_externref_new: library.func('wasmtime_externref_new', 'bool', [P, P, P, P]),
    wasmtime_externref_data: library.func('wasmtime_externref_data', P, [P, P]),
  };
  return functions as Wide;
}

/** How something ended that the library did: a kind of trap, or the text of an error. */
class Failure extends Error {}

/** `undefined` where `call` does what it should, else how it failed. */
function failureOf(call: () => void): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
}

/**
 * The pinned library as the suite needs it. Unlike the engine that agents run on it leaves NaNs as the processor makes them, so
 * that the guard alone makes them canonical, and it has no pool, so that memories may be as large as the suite wants.
 */
export class WasmtimeEngine implements Engine {
  readonly name = 'wasmtime';
  readonly library: Wasmtime;
  readonly wide: Wide;
  readonly #engine: bigint;
  readonly #linker: bigint;
  readonly #stores: bigint[] = [];

  /** @throws {ChimeraError} CHIMERA_SETUP where there is no such library, or another one */
  constructor(path: string) {
    this.library = loadWasmtime(path);
    this.wide = loadWide(path);
    const config = this.library.wasm_config_new();
    this.library.set(config, 'wasmtime_config_parallel_compilation_set', 'bool', false);
    for (const proposal of LATER) this.library.set(config, `wasmtime_config_wasm_${proposal}_set`, 'bool', false);
    this.library.set(config, 'wasmtime_config_async_stack_size_set', 'size_t', CALL_STACK);
    this.library.set(config, 'wasmtime_config_max_wasm_stack_set', 'size_t', MAX_WASM_STACK);
    this.#engine = this.library.wasm_engine_new_with_config(config);
    this.#linker = this.library.wasmtime_linker_new(this.#engine);
  }

  validate(bytes: Uint8Array): boolean {
    return failureOf(() => this.library.wasmtime_module_delete(this.#compile(bytes))) === undefined;
  }

  instantiate(bytes: Uint8Array, guarded?: GuardedModule): Subject | { readonly trap: string } {
    const code = guarded === undefined ? bytes : withOwnMemory(guarded.bytes);
    const store = this.library.wasmtime_store_new(this.#engine, null, null);
    this.#stores.push(store);
    const context = this.library.wasmtime_store_context(store);
    const instance = Buffer.alloc(INSTANCE_BYTES);
    const trap = failureOf(() => {
      const pre = this.#prepare(code);
      try {
        this.trapping(code, (out) => this.library.wasmtime_instance_pre_instantiate(pre, context, instance, out));
      } finally {
        this.library.wasmtime_instance_pre_delete(pre);
      }
    });
    if (trap !== undefined) return { trap };
    return new WasmtimeSubject(this, { context, instance, code, guarded: guarded !== undefined });
  }

  release(): void {
    for (const store of this.#stores.splice(0)) this.library.wasmtime_store_delete(store);
  }

  /** Throws the {@link Failure} that a call ends with: an error that it returns, or a trap in `code` that it writes. */
  trapping(code: Uint8Array, call: (trap: Uint8Array) => bigint | null): void {
    const trap = Buffer.alloc(8);
    this.check(call(trap));
    const address = trap.readBigUInt64LE();
    if (address === 0n) return;
    const kind = Buffer.alloc(8);
    const known = this.library.wasmtime_trap_code(address, kind) ? kind[0]! : -1;
    const frame = this.library.wasm_trap_origin(address);
    const opcode = frame === null ? undefined : code[this.library.wasm_frame_module_offset(frame)];
    if (frame !== null) this.library.wasm_frame_delete(frame);
    this.library.wasm_trap_delete(address);
    throw new Failure(known === STACK_OVERFLOW ? 'exhausted' : (kindOf(known, opcode) ?? `trap ${known}`));
  }

  check(error: bigint | null): void {
    if (error === null) return;
    const text = Buffer.alloc(VECTOR.size);
    this.library.wasmtime_error_message(error, text);
    const size = Number(text.readBigUInt64LE(VECTOR.length));
    const message = Buffer.from(nativeView(text.readBigUInt64LE(VECTOR.data), size)).toString();
    this.library.wasm_byte_vec_delete(text);
    this.library.wasmtime_error_delete(error);
    throw new Failure(message);
  }

  #compile(bytes: Uint8Array): bigint {
    const out = Buffer.alloc(8);
    this.check(this.library.wasmtime_module_new(this.#engine, bytes, bytes.length, out));
    return out.readBigUInt64LE();
  }

  #prepare(bytes: Uint8Array): bigint {
    const out = Buffer.alloc(8);
    const module = this.#compile(bytes);
    try {
      this.check(this.library.wasmtime_linker_instantiate_pre(this.#linker, module, out));
    } finally {
      this.library.wasmtime_module_delete(module);
    }
    return out.readBigUInt64LE();
  }
}

interface Made {
  readonly context: bigint;
  readonly instance: Uint8Array;
  /** What was compiled: a trap names its instruction by the offset in it. */
  readonly code: Uint8Array;
  readonly guarded: boolean;
}

class WasmtimeSubject implements Subject {
  readonly #engine: WasmtimeEngine;
  readonly #made: Made;
  readonly #exports = new Map<string, Uint8Array>();

  constructor(engine: WasmtimeEngine, made: Made) {
    this.#engine = engine;
    this.#made = made;
  }

  get(field: string): Value {
    const value = Buffer.alloc(VALUE.size);
    this.#engine.library.wasmtime_global_get(this.#made.context, this.#export(field, EXTERN_KIND.global), value);
    return this.#read(value);
  }

  call(field: string, { params, results }: FunctionType, given: readonly Value[]): Ending {
    const { context, code, guarded } = this.#made;
    if (guarded) {
      this.#set(FUEL_EXPORT, GRANTED.fuel);
      this.#set(DEPTH_EXPORT, GRANTED.depth);
    }
    const args = Buffer.concat(given.map((value, i) => this.#write(value, params[i]!)));
    const returned = Buffer.alloc(results.length * VALUE.size);
    const func = this.#export(field, EXTERN_KIND.func);
    const { wasmtime_func_call } = this.#engine.wide;
    const trap = failureOf(() =>
      this.#engine.trapping(code, (out) =>
        wasmtime_func_call(context, func, args, params.length, returned, results.length, out),
      ),
    );
    if (trap !== undefined) {
      const counter = (name: string): bigint => BigInt.asIntN(64, this.get(name) as bigint);
      return { trap: (guarded ? starvation(counter(FUEL_EXPORT), counter(DEPTH_EXPORT)) : undefined) ?? trap };
    }
    return { values: results.map((_, i) => this.#read(returned.subarray(i * VALUE.size, (i + 1) * VALUE.size))) };
  }

  #set(global: string, value: bigint): void {
    const { library } = this.#engine;
    const written = this.#write(value, I64);
    this.#engine.check(
      library.wasmtime_global_set(this.#made.context, this.#export(global, EXTERN_KIND.global), written),
    );
  }

  /** The union of an extern: what functions and globals are called by. */
  #export(name: string, kind: number): Uint8Array {
    const known = this.#exports.get(name);
    if (known !== undefined) return known;
    const { context, instance } = this.#made;
    const text = Buffer.from(name);
    const found = Buffer.alloc(EXTERN.size);
    const { wasmtime_instance_export_get } = this.#engine.library;
    const is = wasmtime_instance_export_get(context, instance, text, text.length, found);
    if (!is || found[EXTERN.kind] !== kind) throw new Failure(`there is no export ${name} of kind ${kind}`);
    const union = found.subarray(EXTERN.of);
    this.#exports.set(name, union);
    return union;
  }

  #write(value: Value, type: number): Buffer {
    const out = Buffer.alloc(VALUE.size);
    out[VALUE.kind] = TYPES.indexOf(type);
    if (typeof value === 'bigint') {
      out.writeBigUInt64LE(BigInt.asUintN(64, value), VALUE.of);
      out.writeBigUInt64LE(value >> 64n, VALUE.of + 8);
    } else if (value.startsWith('host ')) {
      // What it points at is never looked at: its number is its address.
      const address = 1n + BigInt(value.slice('host '.length));
      const { wasmtime_externref_new } = this.#engine.wide;
      if (!wasmtime_externref_new(this.#made.context, address, null, out.subarray(VALUE.of))) {
        throw new Failure('there is no memory for a reference');
      }
    } else if (value !== 'null') throw new Failure('functions are never passed in');
    return out;
  }

  #read(value: Buffer): Value {
    const type = TYPES[value[VALUE.kind]!];
    const low = value.readBigUInt64LE(VALUE.of);
    if (type === FUNCREF || type === EXTERNREF) {
      // A null reference belongs to no store.
      if (low === 0n) return 'null';
      if (type === FUNCREF) return 'function';
      const address = this.#engine.wide.wasmtime_externref_data(this.#made.context, value.subarray(VALUE.of));
      return `host ${(address ?? 0n) - 1n}`;
    }
    if (type === V128) return low | (value.readBigUInt64LE(VALUE.of + 8) << 64n);
    return type === I32 || type === F32 ? BigInt.asUintN(32, low) : low;
  }
}
