import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { stream } from '../../../src/core/random/random.ts';
import { Code, I32 } from '../../../src/core/wasm/code.ts';
import { encodeModule } from '../../../src/core/wasm/encoder.ts';
import { DEPTH_EXPORT, FUEL_EXPORT, guardModule } from '../../../src/fabric/guard/guard.ts';
import type { GuardedModule } from '../../../src/fabric/guard/guard.ts';
import { PRICES } from '../../../src/fabric/guard/prices.ts';
import { createMemories } from '../../../src/fabric/v8/memory.ts';
import { classify } from '../../../src/fabric/v8/traps.ts';
import { answering } from '../agents.ts';
import { USED, meterEachInstruction } from './oracle.ts';
import { randomModule, randomSpec } from './programs.ts';

type Exports = Record<string, CallableFunction> & { memory?: WebAssembly.Memory };
interface Run {
  result: unknown;
  memory: string | undefined;
}

const ANY = { memoryPages: 4, abi: 'any' } as const;
const START = 10_000_000;

const exportsOf = (bytes: Uint8Array<ArrayBuffer>, imports: object = {}): Exports =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports as never;
/** A guarded module with a memory of its own. */
const guardedExports = (guarded: GuardedModule): Exports => exportsOf(guarded.bytes, createMemories(guarded)());

function call(exports: Exports, name: string, ...args: number[]): Run {
  let result: unknown;
  try {
    result = exports[name]!(...args);
  } catch (error) {
    result = classify(error) ?? String(error);
  }
  const { memory } = exports;
  return { result, memory: memory && createHash('sha256').update(new Uint8Array(memory.buffer)).digest('hex') };
}

function metered(
  original: Uint8Array,
  name: string,
  args: number[],
  fuel = START,
  depth = 1000,
): Run & { fuel: number } {
  const exports = guardedExports(guardModule(original, ANY)) as Exports & Record<string, WebAssembly.Global>;
  exports[FUEL_EXPORT]!.value = BigInt(fuel);
  exports[DEPTH_EXPORT]!.value = BigInt(depth);
  const run = call(exports, name, ...args);
  return { ...run, fuel: fuel - Number(exports[FUEL_EXPORT]!.value as bigint) };
}

const single = (code: Code, locals: number[] = [], results: number[] = [I32]): Uint8Array<ArrayBuffer> =>
  encodeModule({
    functions: [{ params: [I32], results, locals, code, export: 'f' }],
    memory: { min: 1, export: 'memory' },
  });

describe('fabric/guard', () => {
  it('changes no result, no trap and no memory, and counts the same fuel twice', () => {
    let traps = 0;
    const fuels = new Set<number>();
    for (let index = 0; index < 250; index++) {
      const random = stream('guard', 0, index, 'program');
      const original = randomModule(random);
      for (const args of [
        [0, 0],
        [random.u32(), random.u32()],
      ]) {
        const plain = call(exportsOf(original), 'run', ...args);
        const first = metered(original, 'run', args);
        assert.deepEqual({ result: first.result, memory: first.memory }, plain, `program ${index}`);
        assert.deepEqual(metered(original, 'run', args), first);
        fuels.add(first.fuel);
        if (typeof plain.result === 'string') traps++;
      }
    }
    assert.ok(traps > 20 && traps < 400, `${traps} traps`);
    assert.ok(fuels.size > 100, `${fuels.size} different amounts of fuel`);
  });

  it('charges to the unit what counting each instruction by itself gives, and exactly so much is enough', () => {
    let ended = 0;
    for (let index = 0; index < 400; index++) {
      const spec = randomSpec(stream('guard', 1, index, 'program'));
      const counted = exportsOf(encodeModule(meterEachInstruction(spec))) as Exports &
        Record<string, WebAssembly.Global>;
      const { result } = call(counted, 'run', 1, 2);
      if (typeof result === 'string') continue;
      ended++;
      const original = encodeModule(spec);
      const used = Number(counted[USED]!.value as bigint);
      assert.deepEqual({ ...metered(original, 'run', [1, 2], used), memory: '' }, { result, fuel: used, memory: '' });
      const short = metered(original, 'run', [1, 2], used - 1);
      assert.ok(short.fuel >= used, `program ${index} ends with ${used - 1} of ${used} units`);
    }
    assert.ok(ended > 150, `${ended} programs ended without a trap`);
  });

  it('stops soon after the fuel is used up', () => {
    for (let index = 0; index < 60; index++) {
      const original = randomModule(stream('guard', 1, index, 'program'));
      const whole = metered(original, 'run', [1, 2]);
      if (typeof whole.result === 'string') continue;
      const half = Math.floor(whole.fuel / 2);
      const short = metered(original, 'run', [1, 2], half);
      assert.ok(short.fuel > half && short.fuel < whole.fuel + 100_000, `${short.fuel} of ${half}`);
    }
  });

  it('charges exactly what the price table says', () => {
    const loop = new Code().loop().get(0).i32(1).op('i32_sub').tee(0).brIf(0).end().get(0);
    const perTurn = 5 * PRICES.simple;
    const { fuel } = metered(single(loop), 'f', [1000]);
    assert.equal(fuel, PRICES.entry + 1000 * perTurn + PRICES.simple);
    assert.equal(metered(single(loop), 'f', [1]).fuel, PRICES.entry + perTurn + PRICES.simple);
    const grow = metered(single(new Code().get(0).memoryGrow()), 'f', [2]);
    assert.equal(grow.fuel, PRICES.entry + PRICES.simple + PRICES.bulk + 2 * PRICES.page);
    const fill = metered(single(new Code().i32(0).i32(1).get(0).memoryFill().i32(0)), 'f', [8000]);
    assert.equal(fill.fuel, PRICES.entry + 4 * PRICES.simple + PRICES.bulk + 1000);
    const branch = new Code().get(0).if(I32).i32(1).else().i32(1).i32(1).op('i32_add').end();
    assert.equal(metered(single(branch), 'f', [1]).fuel, PRICES.entry + 3);
    assert.equal(metered(single(branch), 'f', [0]).fuel, PRICES.entry + 5);
  });

  it('counts deep calls and gives the depth back on every way out', () => {
    const recurse = new Code().get(0).op('i32_eqz').if().i32(7).op('return').end().get(0).i32(1).op('i32_sub').call(0);
    assert.equal(metered(single(recurse), 'f', [99], START, 100).result, 7);
    assert.equal(metered(single(recurse), 'f', [100], START, 100).result, 'unreachable');
    const twice = encodeModule({
      functions: [
        { params: [I32], results: [I32], code: recurse },
        { params: [I32], results: [I32], code: new Code().get(0).call(0).get(0).call(0).op('i32_add'), export: 'f' },
      ],
    });
    assert.equal(metered(twice, 'f', [90], START, 100).result, 14);
  });

  it('weighs frames by their slots, so that few deep frames are as many shallow ones', () => {
    const recurse = new Code().get(0).op('i32_eqz').if().i32(7).op('return').end().get(0).i32(1).op('i32_sub').call(0);
    const wide = single(
      recurse,
      Array.from({ length: 320 }, () => I32),
    );
    assert.equal(metered(wide, 'f', [8], START, 100).result, 7);
    assert.equal(metered(wide, 'f', [9], START, 100).result, 'unreachable');
  });

  it('keeps functions of several results, with return and calls in them', () => {
    const code = new Code().get(0).op('i32_eqz').if().get(0).i32(6).op('return').end();
    code.get(0).i32(5).get(0).call(1).op('drop');
    const module = encodeModule({
      functions: [
        { params: [I32], results: [I32, I32], code, export: 'f' },
        { params: [I32], results: [I32], code: new Code().get(0) },
      ],
    });
    assert.deepEqual(metered(module, 'f', [3]).result, [3, 5]);
    assert.deepEqual(metered(module, 'f', [0]).result, [0, 6]);
  });

  it('runs vector code', () => {
    const splat = (value: number): Code => new Code().i32(value).raw([0xfd, 17]);
    const code = new Code().raw(splat(20).finish()).raw(splat(22).finish()).raw([0xfd, 174, 1, 0xfd, 27, 3]);
    const run = metered(single(code), 'f', [0]);
    assert.equal(run.result, 42);
    assert.equal(run.fuel, PRICES.entry + 2 + 4 * PRICES.vector);
  });

  it('is deterministic, names the original and leaves nothing of custom sections', () => {
    const original = answering('1');
    const custom = Uint8Array.of(...original, 0, 8, 4, 0x6e, 0x61, 0x6d, 0x65, 1, 2, 3);
    const guarded = guardModule(custom, { memoryPages: 16 });
    assert.equal(guarded.sha256, createHash('sha256').update(custom).digest('hex'));
    assert.deepEqual(guarded.bytes, guardModule(original, { memoryPages: 16 }).bytes);
    assert.deepEqual(guarded.exports, ['step', 'cabi_realloc', 'memory']);
  });

  it('refuses or accepts any mutation of a module, and never fails otherwise', () => {
    const original = randomModule(stream('guard', 2, 0, 'program'));
    const counts = { refused: 0, accepted: 0 };
    const place = fc.tuple(fc.nat(original.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 4 }), fc.option(fc.nat(original.length)), (edits, cut) => {
        const bytes = original.slice(0, cut ?? original.length);
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
        try {
          assert.ok(WebAssembly.validate(guardModule(bytes, ANY).bytes));
          counts.accepted++;
        } catch (error) {
          assert.ok(isChimeraError(error, 'CHIMERA_AGENT_REFUSED'), String(error));
          assert.match(String(error.details['rule']), /^[a-z0-9-]+$/);
          counts.refused++;
        }
      }),
      { numRuns: 2000, seed: 1 },
    );
    assert.ok(counts.refused > 500 && counts.accepted > 20, JSON.stringify(counts));
  });
});
