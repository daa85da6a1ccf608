import { Code, I32, I64 } from '../../../src/core/wasm/code.ts';
import type { FunctionSpec, ModuleSpec } from '../../../src/core/wasm/encoder.ts';
import { newInstruction, readInstruction } from '../../../src/fabric/guard/instruction.ts';
import { SIZED_MISC } from '../../../src/fabric/guard/opcodes.ts';
import { PRICES } from '../../../src/fabric/guard/prices.ts';
import { Reader } from '../../../src/fabric/guard/reader.ts';

export const USED = 'used';

/**
 * The plainest meter there can be, as the oracle of the real one: each instruction by itself adds its price to a global
 * before it runs. No blocks, no merging, no tests; sizes by helper functions.
 */
export function meterEachInstruction(spec: ModuleSpec): ModuleSpec {
  const used = spec.globals?.length ?? 0;
  const helpers = { pages: spec.functions.length, bytes: spec.functions.length + 1 };
  const add = (code: Code, price: number): Code => code.globalGet(used).i64(price).op('i64_add').globalSet(used);
  const metered = (f: FunctionSpec): Code => {
    const bytes = (f.code as Code).finish();
    const code = add(new Code(), PRICES.entry + ((f.locals?.length ?? 0) >>> PRICES.localsShift));
    const reader = new Reader(bytes);
    const instruction = newInstruction();
    while (!reader.done) {
      const start = reader.at;
      readInstruction(reader, instruction);
      if (instruction.price > 0) add(code, instruction.price);
      if (instruction.opcode === 0x40) code.call(helpers.pages);
      if (instruction.opcode === 0xfc && SIZED_MISC.get(instruction.sub) === 'bytes') code.call(helpers.bytes);
      code.raw(bytes.subarray(start, reader.at));
    }
    return code;
  };
  const helper = (price: (code: Code) => Code): FunctionSpec => ({
    params: [I32],
    results: [I32],
    code: price(new Code().globalGet(used).get(0)).op('i64_add').globalSet(used).get(0),
  });
  return {
    ...spec,
    functions: [
      ...spec.functions.map((f) => ({ ...f, code: metered(f) })),
      helper((code) => code.op('i64_extend_i32_u').i64(PRICES.page).op('i64_mul')),
      helper((code) => code.i32(PRICES.bulkShift).op('i32_shr_u', 'i64_extend_i32_u')),
    ],
    globals: [...(spec.globals ?? []), { type: I64, mutable: true, init: new Code().i64(0), export: USED }],
  };
}
