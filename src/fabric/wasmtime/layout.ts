/**
 * Sizes and offsets of the structs that pass between here and the library, in bytes, as `_bindings.py` of the wheel has them.
 * `selfTest` holds each of them against what the loaded library does.
 */

/** `wasmtime_instance_t`: store and index. */
export const INSTANCE_BYTES = 16;

/** `wasmtime_extern_t`: a tag and a union of func (16 bytes), global, table and memory (24 bytes each). */
export const EXTERN = { size: 32, kind: 0, of: 8 } as const;
export const EXTERN_KIND = { func: 0, global: 1, table: 2, memory: 3 } as const;

/** `wasmtime_val_t`: a tag and a union. */
export const VALUE = { size: 32, kind: 0, of: 8 } as const;
export const VALUE_KIND = { i32: 0, i64: 1 } as const;

/** `wasmtime_val_raw_t`: one parameter or result, of which the low bytes count. */
export const RAW_BYTES = 16;

/** `wasm_byte_vec_t`. */
export const VECTOR = { size: 16, length: 0, data: 8 } as const;
