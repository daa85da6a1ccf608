import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { Code, I32 } from '../../../src/core/wasm/code.ts';
import { encodeModule } from '../../../src/core/wasm/encoder.ts';
import { WasmtimeHost } from '../../../src/fabric/wasmtime/host.ts';
import { EXTERN, EXTERN_KIND, INSTANCE_BYTES, VALUE } from '../../../src/fabric/wasmtime/layout.ts';
import { loadWasmtime } from '../../../src/fabric/wasmtime/library.ts';
import type { Wasmtime } from '../../../src/fabric/wasmtime/library.ts';
import { WasmtimeTrap } from '../../../src/fabric/wasmtime/traps.ts';
import { selfTest } from '../../../src/fabric/wasmtime/self-test.ts';
import { libraryOrSkip } from './library.ts';

describe('the wasmtime library, once loaded', () => {
  let path: string;
  let wasmtime: Wasmtime;
  before(async function () {
    this.timeout(200_000);
    path = await libraryOrSkip(this);
    wasmtime = loadWasmtime(path);
  });

  const write = (address: bigint | Uint8Array | null, offset: number, bytes: readonly number[]): void =>
    new Uint8Array(koffi.view((address as bigint) + BigInt(offset), bytes.length)).set(bytes);
  /** The library with another behaviour of some functions: as one of another version might behave. */
  const otherwise = (functions: Partial<Wasmtime>): WasmtimeHost => new WasmtimeHost({ ...wasmtime, ...functions });
  const refused = (functions: Partial<Wasmtime>, what: RegExp): void =>
    assert.throws(() => selfTest(otherwise(functions)), { code: 'CHIMERA_SETUP', message: what });

  it('passes its self-test', () => selfTest(otherwise({})));

  it('is refused where a struct is larger than it was', () => {
    let calls = 1;
    refused(
      {
        wasmtime_instance_export_get: (context, instance, name, length, item) => {
          write(item, EXTERN.size, [calls++]);
          return wasmtime.wasmtime_instance_export_get(context, instance, name, length, item);
        },
      },
      /wasmtime_extern_t/,
    );
    refused(
      {
        wasmtime_global_get: (context, global, value) => {
          wasmtime.wasmtime_global_get(context, global, value);
          write(value, VALUE.size, [calls++]);
        },
      },
      /wasmtime_val_t/,
    );
    refused(
      {
        wasmtime_instance_pre_instantiate: (pre, context, instance, trap) => {
          write(instance, INSTANCE_BYTES, [calls++]);
          return wasmtime.wasmtime_instance_pre_instantiate(pre, context, instance, trap);
        },
      },
      /wasmtime_instance_t/,
    );
  });

  it('is refused where a member lies elsewhere, or a code means something else', () => {
    refused(
      {
        wasmtime_global_get: (context, global, value) =>
          wasmtime.wasmtime_global_get(context, global, (value as bigint) + 8n),
      },
      /wasmtime_val_t/,
    );
    refused(
      {
        wasmtime_trap_code: (trap, code) => {
          const known = wasmtime.wasmtime_trap_code(trap, code);
          write(code, 0, [new Uint8Array(koffi.view(code as bigint, 1))[0]! + 1]);
          return known;
        },
      },
      /the trap/,
    );
    refused({ wasm_frame_module_offset: () => 0 }, /the trap integer-overflow/);
    refused({ wasmtime_memory_data_size: () => 65_536 }, /wasmtime_memory_t/);
  });

  it('is not loaded where its bytes are others, or where it is not there', () => {
    const folder = mkdtempSync(join(tmpdir(), 'chimera-wasmtime-'));
    try {
      const copy = join(folder, 'library');
      copyFileSync(path, copy);
      writeFileSync(copy, 'x', { flag: 'a' });
      assert.throws(() => loadWasmtime(copy), { code: 'CHIMERA_SETUP', message: /is not the pinned library/ });
      assert.throws(() => loadWasmtime(join(folder, 'none')), {
        code: 'CHIMERA_SETUP',
        message: /there is no library at .*scripts\/wasmtime\.ts/,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('ends an unguarded endless recursion as no trap of an agent', () => {
    const host = otherwise({});
    const recurse = new Code().get(0).call(0).i32(1).op('i32_add');
    const module = host.compile(
      encodeModule({ functions: [{ params: [I32], results: [I32], code: recurse, export: 'f' }] }),
    );
    for (let again = 0; again < 3; again++) {
      const instance = host.instantiate(module);
      const call = (): unknown => host.call(instance, host.export(instance, 'f', EXTERN_KIND.func), [0]);
      assert.throws(call, (error) => error instanceof WasmtimeTrap && error.kind === undefined);
      host.release(instance);
    }
  });

  it('keeps one instance at a time, and says why it does not accept a module', () => {
    const host = otherwise({});
    const module = host.compile(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const instance = host.instantiate(module);
    assert.throws(() => host.instantiate(module), { code: 'CHIMERA_INTERNAL' });
    assert.throws(() => host.export(instance, 'step', 0), { code: 'CHIMERA_INTERNAL' });
    host.release(instance);
    host.release(host.instantiate(module));
    host.free(module);
    host.free(module);
    assert.throws(() => host.instantiate(module), { code: 'CHIMERA_INTERNAL', message: /given back/ });
    assert.throws(() => host.compile(Uint8Array.of(1, 2, 3)), /magic|header|unexpected end/i);
  });
});
