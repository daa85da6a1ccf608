import assert from 'node:assert/strict';
import { stream } from '../../../src/core/random/random.ts';
import { guardModule } from '../../../src/fabric/guard/guard.ts';
import { WasmtimeHost } from '../../../src/fabric/wasmtime/host.ts';
import { loadWasmtime } from '../../../src/fabric/wasmtime/library.ts';
import { randomModule } from '../guard/programs.ts';
import { libraryOrSkip } from './library.ts';
import { onV8, onWasmtime } from './runs.ts';

describe('fabric/wasmtime, random programs', function () {
  this.timeout(60_000);
  let host: WasmtimeHost;
  before(async function () {
    this.timeout(200_000);
    host = new WasmtimeHost(loadWasmtime(await libraryOrSkip(this)));
  });

  it('end alike on both engines: result, trap, fuel and every byte of memory', () => {
    const kinds = new Map<unknown, number>();
    for (let index = 0; index < 120; index++) {
      const random = stream('engines', 0, index, 'program');
      const guarded = guardModule(randomModule(random), { memoryPages: 4, abi: 'any' });
      const there = onWasmtime(host, guarded);
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
