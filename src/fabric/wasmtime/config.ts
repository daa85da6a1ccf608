import { LIMIT_CEILINGS } from '../../core/execution/limits.ts';
import { CEILINGS } from '../guard/module.ts';
import { CALL_STACK } from './library.ts';
import type { Wasmtime } from './library.ts';

const PAGE = 65_536;
/**
 * Bytes that the frames of an agent may take of the call's stack. What is left is for the functions of the library that
 * agents' code calls. An agent that came to this end would be a fault of the guard, and is reported as one.
 */
export const MAX_WASM_STACK = CALL_STACK - 2 * 1_048_576;
/** Memory and tables up to this are wiped for the next instance, larger ones given back to the system page by page. */
const KEPT_BYTES = 2 * PAGE;
/** The instance's own record: globals and functions take 16 and 32 bytes each, tables less than a page together. */
const INSTANCE_BYTES = CEILINGS.globals * 16 + CEILINGS.functions * 32 + PAGE;
/** Elements of a table at most: what the guard allows without being asked for less. */
const TABLE_ELEMENTS = 10_000;

/** The proposals that the guard refuses: a module that got past it with one of them would end here. */
const REFUSED = [
  'custom_page_sizes',
  'exceptions',
  'function_references',
  'gc',
  'memory64',
  'multi_memory',
  'relaxed_simd',
  'stack_switching',
  'tail_call',
  'threads',
  'wide_arithmetic',
] as const;

/**
 * A wasmtime engine for guarded modules. The guard meters, so wasmtime's fuel is off. Its epochs are off too: looking at them in
 * every loop costs programs a sixth of their speed (`npm run bench -- fabric`), to save at a wall deadline the process whose
 * death ends the step anyway. One instance lives at a time, in the only slot of a pool. There is no copy-on-write image of a
 * module: each would hold a file open for as long as the module is kept.
 * @returns its address. It lives as long as the process. What wasmtime does not accept here ends the process.
 */
export function createEngine(wasmtime: Wasmtime): bigint {
  const config = wasmtime.wasm_config_new();
  const flag = (name: string, on: boolean): void => wasmtime.set(config, `wasmtime_config_${name}_set`, 'bool', on);
  const size = (name: string, bytes: number): void =>
    wasmtime.set(config, `wasmtime_config_${name}_set`, 'size_t', bytes);
  flag('cranelift_nan_canonicalization', true);
  flag('consume_fuel', false);
  flag('epoch_interruption', false);
  flag('parallel_compilation', false);
  flag('memory_init_cow', false);
  flag('shared_memory', false);
  flag('wasm_component_model', false);
  flag('concurrency_support', false);
  for (const proposal of REFUSED) flag(`wasm_${proposal}`, false);
  size('async_stack_size', CALL_STACK);
  size('max_wasm_stack', MAX_WASM_STACK);

  const pool = wasmtime.wasmtime_pooling_allocation_config_new();
  const count = (name: string, value: number): void =>
    wasmtime.set(pool, `wasmtime_pooling_allocation_config_${name}_set`, 'uint32_t', value);
  const bytes = (name: string, value: number): void =>
    wasmtime.set(pool, `wasmtime_pooling_allocation_config_${name}_set`, 'size_t', value);
  count('total_core_instances', 1);
  // The heap of an agent that has external references lies in a memory too.
  count('total_memories', 2);
  count('total_tables', CEILINGS.tables);
  count('max_tables_per_module', CEILINGS.tables);
  count('total_component_instances', 0);
  count('total_stacks', 0);
  count('total_gc_heaps', 1);
  bytes('max_core_instance_size', INSTANCE_BYTES);
  bytes('max_memory_size', LIMIT_CEILINGS.memoryPages * PAGE);
  bytes('table_elements', TABLE_ELEMENTS);
  bytes('linear_memory_keep_resident', KEPT_BYTES);
  bytes('table_keep_resident', KEPT_BYTES);
  wasmtime.wasmtime_pooling_allocation_strategy_set(config, pool);
  wasmtime.wasmtime_pooling_allocation_config_delete(pool);
  return wasmtime.wasm_engine_new_with_config(config);
}
