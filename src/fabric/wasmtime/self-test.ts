import type { TrapKind } from '../../core/execution/types.ts';
import { Code, I32, I64 } from '../../core/wasm/code.ts';
import { encodeModule } from '../../core/wasm/encoder.ts';
import type { FunctionSpec } from '../../core/wasm/encoder.ts';
import type { Handle, NativeInstance, WasmtimeHost } from './host.ts';
import { EXTERN, EXTERN_KIND, INSTANCE_BYTES, RAW_BYTES, VALUE } from './layout.ts';
import { noWasmtime } from './release.ts';
import { WasmtimeTrap } from './traps.ts';

const PARAMS = [I32, I64, I32, I64, I64, I32, I32, I32, I32, I32];
const VALUES = [-1, 2n ** 63n - 1n, 0x7fffffff, -5n, 2n ** 40n + 3n, 11, -13, 17, 19, 23];
/** Odd, so that no two places can be exchanged unseen. */
const WEIGHTS = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31];
const MARK = [0xde, 0xad, 0xbe, 0xef, 0x01];
const FIRST = -0x0123456789abcden;

/** What one trap of each kind looks like. */
const TRAPS: readonly (readonly [kind: TrapKind, code: Code])[] = [
  ['unreachable', new Code().op('unreachable')],
  ['memory-out-of-bounds', new Code().i32(-1).memory('i32_load')],
  ['table-out-of-bounds', new Code().i32(9).raw([0x11, 1, 0]).i32(0)],
  ['indirect-call', new Code().i32(1).raw([0x11, 1, 0]).i32(0)],
  ['indirect-call', new Code().i32(0).raw([0x11, 1, 0]).i32(0)],
  ['integer-divide-by-zero', new Code().i32(1).i32(0).op('i32_div_u')],
  [
    'integer-overflow',
    new Code()
      .i32(-(2 ** 31))
      .i32(-1)
      .op('i32_div_s'),
  ],
  [
    'integer-overflow',
    new Code()
      .i64(-(2n ** 63n))
      .i64(-1)
      .op('i64_div_s', 'i32_wrap_i64'),
  ],
  ['invalid-conversion', new Code().f64(NaN).op('i32_trunc_f64_s')],
  ['invalid-conversion', new Code().f64(1e10).op('i32_trunc_f64_u')],
];

/** Function 0 mixes all of its parameters, high halves of the wide ones included; function 1 is of another type. */
function testModule(): Uint8Array<ArrayBuffer> {
  const mix = new Code().i32(0);
  PARAMS.forEach((type, index) => {
    mix.get(index);
    if (type === I64) mix.get(index).i64(32).op('i64_shr_u', 'i64_xor', 'i32_wrap_i64');
    mix.i32(WEIGHTS[index]!).op('i32_mul', 'i32_add');
  });
  const functions: FunctionSpec[] = [
    { params: PARAMS, results: [I32], code: mix, export: 'mix' },
    { params: [], results: [], code: new Code() },
    ...TRAPS.map(([, code], index) => ({ params: [], results: [I32], code, export: `trap ${index}` })),
  ];
  return encodeModule({
    functions,
    memory: { min: 2, max: 3, export: 'memory' },
    table: { min: 2, export: 'table', elements: [0] },
    globals: [
      { type: I64, mutable: true, init: new Code().i64(FIRST), export: 'first' },
      { type: I64, mutable: true, init: new Code().i64(7), export: 'second' },
    ],
    data: [{ offset: 65_536, bytes: MARK }],
  });
}

function mixed(): number {
  return VALUES.reduce<number>((sum, value, index) => {
    const bits = BigInt.asUintN(64, BigInt(value));
    const word = typeof value === 'bigint' ? Number(BigInt.asIntN(32, bits ^ (bits >> 32n))) : value;
    return (sum + Math.imul(word, WEIGHTS[index]!)) | 0;
  }, 0);
}

/**
 * Known values through every struct and every kind of trap, and nothing written beside where it belongs: a library that lays
 * out its structs in another way would corrupt this process's memory later and elsewhere.
 * @throws {ChimeraError} CHIMERA_SETUP at the first thing that is not as it should be
 */
export function selfTest(host: WasmtimeHost): void {
  const expect = (holds: boolean, what: string): void => {
    if (!holds) throw noWasmtime(`self-test: ${what} is not as this version has it`);
  };
  const { block, places } = host;
  /** Runs `call`, which may change `size` bytes of the block at `at`, and no others of it. */
  const within = <T>(what: string, at: number, size: number, call: () => T): T => {
    const before = block.bytes.slice();
    const result = call();
    const after = block.bytes.slice();
    before.fill(0, at, at + size);
    after.fill(0, at, at + size);
    // A call may say that there was no trap.
    before.fill(0, places.trap, places.trap + 8);
    after.fill(0, places.trap, places.trap + 8);
    expect(Buffer.compare(before, after) === 0, `the size of ${what}`);
    return result;
  };

  let refusal = '';
  try {
    host.compile(new Uint8Array(8));
  } catch (error) {
    refusal = (error as Error).message;
  }
  expect(/^[\x20-\x7e\n]{10,}$/.test(refusal), 'wasm_byte_vec_t (the text of an error)');

  const module = host.compile(testModule());
  const make = (): NativeInstance => host.instantiate(module);
  const instance = within('wasmtime_instance_t', places.instance, INSTANCE_BYTES, make);
  try {
    const handle = (name: string, kind: number): Handle => {
      // The first look-up writes the name; the second one only the handle.
      const { at } = host.export(instance, name, kind);
      return within('wasmtime_extern_t', at, EXTERN.size, () => host.export(instance, name, kind));
    };
    const memory = new Uint8Array(host.memory(instance, handle('memory', EXTERN_KIND.memory)));
    expect(memory.length === 2 * 65_536, 'wasmtime_memory_t (its size)');
    expect(
      MARK.every((byte, index) => memory[65_536 + index] === byte),
      'wasmtime_memory_t (its bytes)',
    );
    handle('table', EXTERN_KIND.table);

    const globals = [handle('first', EXTERN_KIND.global), handle('second', EXTERN_KIND.global)] as const;
    const [first, second] = globals;
    const read = within('wasmtime_val_t', places.value, VALUE.size, () => host.global(instance, first));
    expect(read === FIRST, 'wasmtime_global_t');
    host.setGlobal(instance, first, 2n ** 62n + 1n);
    expect(host.global(instance, first) === 2n ** 62n + 1n && host.global(instance, second) === 7n, 'wasmtime_val_t');

    const mix = handle('mix', EXTERN_KIND.func);
    const values = within('wasmtime_val_raw_t', places.values, VALUES.length * RAW_BYTES, () =>
      host.call(instance, mix, VALUES),
    );
    expect(values === mixed(), 'wasmtime_val_raw_t');
    TRAPS.forEach(([kind], index) => {
      const trap = handle(`trap ${index}`, EXTERN_KIND.func);
      expect(trapOf(() => host.call(instance, trap, [])) === kind, `the trap ${kind}`);
    });
  } finally {
    host.release(instance);
  }
}

function trapOf(call: () => unknown): TrapKind | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof WasmtimeTrap) return error.kind;
    throw error;
  }
}
