import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { stream } from '../../../src/core/random/random.ts';
import { DEPTH_EXPORT, FUEL_EXPORT, guardModule } from '../../../src/fabric/guard/guard.ts';
import type { GuardedModule } from '../../../src/fabric/guard/guard.ts';
import { createMemories } from '../../../src/fabric/v8/memory.ts';
import { classify as classifyV8 } from '../../../src/fabric/v8/traps.ts';
import { WasmtimeHost } from '../../../src/fabric/wasmtime/host.ts';
import { EXTERN_KIND } from '../../../src/fabric/wasmtime/layout.ts';
import { loadWasmtime } from '../../../src/fabric/wasmtime/library.ts';
import { withOwnMemory } from '../../../src/fabric/wasmtime/own-memory.ts';
import { classify } from '../../../src/fabric/wasmtime/traps.ts';
import { randomModule } from '../guard/programs.ts';
import { libraryOrSkip } from './library.ts';

/** What a call came to: the result or the kind of trap, the whole memory, and the fuel that is left where it returned. */
interface Run {
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

function onV8(guarded: GuardedModule, args: readonly number[], fuel: bigint): Run {
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

describe('fabric/wasmtime, random programs', function () {
  this.timeout(60_000);
  let host: WasmtimeHost;
  before(async function () {
    this.timeout(200_000);
    host = new WasmtimeHost(loadWasmtime(await libraryOrSkip(this)));
  });

  const onWasmtime = (guarded: GuardedModule) => {
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
  };

  it('end alike on both engines: result, trap, fuel and every byte of memory', () => {
    const kinds = new Map<unknown, number>();
    for (let index = 0; index < 120; index++) {
      const random = stream('engines', 0, index, 'program');
      const guarded = guardModule(randomModule(random), { memoryPages: 4, abi: 'any' });
      const there = onWasmtime(guarded);
      const full = 10_000_000n;
      for (const args of [
        [0, 0],
        [random.u32() | 0, random.u32() | 0],
      ]) {
        const here = onV8(guarded, args, full);
        assert.deepEqual(there(args, full), here, `program ${index}`);
        const kind = typeof here.result === 'string' ? here.result : 'returned';
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        if (here.left === undefined) continue;
        const used = full - here.left;
        for (const fuel of [used, used - 1n, used / 2n, used / 10n, BigInt(random.integer(Number(used) + 1))])
          assert.deepEqual(there(args, fuel), onV8(guarded, args, fuel), `program ${index}, ${fuel} fuel`);
      }
    }
    assert.ok(kinds.get('returned')! > 50 && kinds.size > 2, JSON.stringify([...kinds]));
  });
});
