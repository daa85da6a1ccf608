import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ByteWriter } from '../../../src/core/wasm/bytes.ts';
import { Code, F64, I32, I64 } from '../../../src/core/wasm/code.ts';
import { encodeModule } from '../../../src/core/wasm/encoder.ts';

const instance = (bytes: Uint8Array<ArrayBuffer>): Record<string, CallableFunction & WebAssembly.Memory> =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as never;

describe('core/wasm encoder', () => {
  it('writes constants that the engine reads back unchanged', () => {
    fc.assert(
      fc.property(fc.integer(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.double(), (a, b, c) => {
        const exports = instance(
          encodeModule({
            functions: [
              { params: [], results: [I32], code: new Code().i32(a), export: 'a' },
              { params: [], results: [I64], code: new Code().i64(b), export: 'b' },
              { params: [], results: [F64], code: new Code().f64(c), export: 'c' },
            ],
          }),
        );
        assert.equal(exports['a']!(), a | 0);
        assert.equal(exports['b']!(), b);
        assert.ok(Object.is(exports['c']!(), c));
      }),
    );
  });

  it('builds a module with locals, a loop, memory, data, a global and a table', () => {
    const sum = new Code().block().loop();
    sum.get(0).op('i32_eqz').brIf(1).get(1).get(0).memory('i32_load8_u', 7).op('i32_add').set(1);
    sum.get(0).i32(1).op('i32_sub').set(0).br(0).end().end().get(1).globalGet(0).op('i32_add');
    const spec = {
      functions: [{ params: [I32], results: [I32], locals: [I32, I32, F64], code: sum, export: 'sum' }],
      memory: { min: 1, max: 2, export: 'memory' },
      table: { min: 3, elements: [0, 0] },
      globals: [{ type: I32, mutable: false, init: new Code().i32(1000) }],
      data: [{ offset: 8, bytes: [1, 2, 3, 4] }],
    };
    const exports = instance(encodeModule(spec));
    assert.equal(exports['sum']!(3), 1006);
    assert.equal(exports['memory']!.buffer.byteLength, 65536);
    assert.deepEqual(encodeModule(spec), encodeModule(spec));
  });

  it('writes LEB128 of minimal length and refuses names outside ASCII', () => {
    assert.deepEqual([...new ByteWriter(1).unsigned(624485).view()], [0xe5, 0x8e, 0x26]);
    assert.deepEqual([...new ByteWriter(1).signed(-123456).view()], [0xc0, 0xbb, 0x78]);
    assert.deepEqual([...new ByteWriter(1).signed(-123456n).view()], [0xc0, 0xbb, 0x78]);
    assert.deepEqual([...new ByteWriter(1).unsigned(2 ** 40).view()], [0x80, 0x80, 0x80, 0x80, 0x80, 0x20]);
    assert.throws(() => new ByteWriter().name('é'), RangeError);
  });
});
