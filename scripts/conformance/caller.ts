import { ByteWriter } from '../../src/core/wasm/bytes.ts';
import { F32, F64, I32, I64 } from '../../src/core/wasm/code.ts';
import type { FunctionType } from '../../src/fabric/guard/module.ts';

const SLOT = 16;
const RESULTS_AT = 32_768;
const LOADS = new Map<number, number[]>([
  [I32, [0x28, 2, 0]],
  [I64, [0x29, 3, 0]],
  [F32, [0x2a, 2, 0]],
  [F64, [0x2b, 3, 0]],
]);
const STORES = new Map<number, number[]>([
  [I32, [0x36, 2, 0]],
  [I64, [0x37, 3, 0]],
  [F32, [0x38, 2, 0]],
  [F64, [0x39, 3, 0]],
]);
const LOAD_VECTOR = [0xfd, 0, 4, 0];
const STORE_VECTOR = [0xfd, 11, 4, 0];

/**
 * Calls a function by its bits, through a module that loads the arguments from memory and stores the results there: vectors
 * cannot cross into JavaScript, and the payload of a NaN may be lost on the way.
 */
export function createCaller(target: unknown, type: FunctionType): (args: readonly bigint[]) => bigint[] {
  const module = new WebAssembly.Module(callingModule(type));
  const exports = new WebAssembly.Instance(module, { m: { f: target } } as never).exports as {
    run: () => void;
    memory: WebAssembly.Memory;
  };
  return (args) => {
    const view = new DataView(exports.memory.buffer);
    args.forEach((bits, i) => {
      view.setBigUint64(i * SLOT, BigInt.asUintN(64, bits), true);
      view.setBigUint64(i * SLOT + 8, bits >> 64n, true);
    });
    new Uint8Array(exports.memory.buffer, RESULTS_AT).fill(0);
    exports.run();
    return type.results.map((_, i) => {
      const at = RESULTS_AT + i * SLOT;
      return view.getBigUint64(at, true) | (view.getBigUint64(at + 8, true) << 64n);
    });
  };
}

function callingModule({ params, results }: FunctionType): Uint8Array<ArrayBuffer> {
  const body = new ByteWriter().unsigned(results.length);
  for (const result of results) body.unsigned(1).byte(result);
  params.forEach((param, i) =>
    body
      .byte(0x41)
      .signed(i * SLOT)
      .raw(LOADS.get(param) ?? LOAD_VECTOR),
  );
  body.raw([0x10, 0]);
  for (let i = results.length - 1; i >= 0; i--) body.byte(0x21).unsigned(i);
  results.forEach((result, i) =>
    body
      .byte(0x41)
      .signed(RESULTS_AT + i * SLOT)
      .byte(0x20)
      .unsigned(i)
      .raw(STORES.get(result) ?? STORE_VECTOR),
  );
  const code = new ByteWriter().unsigned(1).vector(body.byte(0x0b).view());
  const types = new ByteWriter().unsigned(2).byte(0x60).vector(params).vector(results).raw([0x60, 0, 0]);
  const exports = new ByteWriter().unsigned(2).name('run').raw([0, 1]).name('memory').raw([2, 0]);
  const out = new ByteWriter().raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  out.byte(1).vector(types.view());
  out.byte(2).vector(new ByteWriter().unsigned(1).name('m').name('f').raw([0, 0]).view());
  out.byte(3).vector([1, 1]).byte(5).vector([1, 0, 1]);
  out.byte(7).vector(exports.view());
  return out.byte(10).vector(code.view()).finish();
}
