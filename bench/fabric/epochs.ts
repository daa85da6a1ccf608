import { Worker } from 'node:worker_threads';
import koffi from 'koffi';
import { DEPTH_EXPORT, FUEL_EXPORT, guardModule } from '../../src/fabric/guard/guard.ts';
import type { GuardOptions } from '../../src/fabric/guard/guard.ts';
import { WasmtimeHost } from '../../src/fabric/wasmtime/host.ts';
import type { NativeInstance, NativeModule } from '../../src/fabric/wasmtime/host.ts';
import { EXTERN_KIND } from '../../src/fabric/wasmtime/layout.ts';
import { loadWasmtime } from '../../src/fabric/wasmtime/library.ts';
import { withOwnMemory } from '../../src/fabric/wasmtime/own-memory.ts';

/** What {@link openWithEpochs} gives. */
export interface EpochPeer {
  readonly host: WasmtimeHost;
  /** The next instance traps this many ticks after it was made. */
  deadline(ticks: number): void;
  /** Starts a thread that counts the epochs on, one a millisecond; the answer ends it. */
  tick(): Promise<() => Promise<void>>;
}

/** Ticks until which nothing ends by the clock. */
export const NEVER = 2 ** 40;

/**
 * wasmtime with its epochs on, by the fabric's own binding: compiled code looks at a counter at every function and loop, and
 * traps once it has come to the store's deadline. The fabric has them off.
 */
export function openWithEpochs(library: string): EpochPeer {
  const wasmtime = loadWasmtime(library);
  const setDeadline = koffi
    .load(library)
    .func('wasmtime_context_set_epoch_deadline', 'void', ['void *', 'uint64_t']) as (at: bigint, ticks: number) => void;
  let engine = 0n;
  let ticks = NEVER;
  const host = new WasmtimeHost({
    ...wasmtime,
    set: (target, name, type, value) =>
      wasmtime.set(target, name, type, name === 'wasmtime_config_epoch_interruption_set' ? true : value),
    wasm_engine_new_with_config: (config) => (engine = wasmtime.wasm_engine_new_with_config(config)),
    wasmtime_store_context: (store) => {
      const context = wasmtime.wasmtime_store_context(store);
      setDeadline(context, ticks);
      return context;
    },
  });
  return {
    host,
    deadline: (count) => void (ticks = count),
    async tick() {
      const stop = new Int32Array(new SharedArrayBuffer(4));
      const workerData = { library, engine, stop };
      const worker = new Worker(new URL('./epoch-ticker.ts', import.meta.url), { workerData });
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      return async () => {
        const gone = new Promise((resolve) => worker.once('exit', resolve));
        Atomics.store(stop, 0, 1);
        Atomics.notify(stop, 0);
        await gone;
      };
    },
  };
}

/** A guarded module, compiled. */
export const compileGuarded = (host: WasmtimeHost, module: Uint8Array, options: GuardOptions): NativeModule =>
  host.compile(withOwnMemory(guardModule(module, options).bytes));

/** An instance that has all the fuel there is. */
export function instanceOf(host: WasmtimeHost, module: NativeModule): NativeInstance {
  const instance = host.instantiate(module);
  host.setGlobal(instance, host.export(instance, FUEL_EXPORT, EXTERN_KIND.global), 10n ** 17n);
  host.setGlobal(instance, host.export(instance, DEPTH_EXPORT, EXTERN_KIND.global), 10_000n);
  return instance;
}
