import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DEFAULT_LIMITS } from '../../../src/core/execution/limits.ts';
import type { StepResult } from '../../../src/core/execution/types.ts';
import { Code, F64, I64 } from '../../../src/core/wasm/code.ts';
import { createStepEngine } from '../../../src/fabric/abi/step.ts';
import { guardModule } from '../../../src/fabric/guard/guard.ts';
import type { GuardedModule } from '../../../src/fabric/guard/guard.ts';
import { compileForV8 } from '../../../src/fabric/v8/engine.ts';
import { P, agentModule, result, text } from '../agents.ts';

const COUNT = 1;
const RATIO = 2;

/**
 * Answers with everything that an instance before could have left (two globals, the size of the memory, a byte of a segment, a
 * byte that nothing set), then changes all of it; a payload "g" grows the memory first, a "t" traps at the end.
 */
const hoarder = () => {
  const code = new Code();
  const on = (letter: string): Code => code.get(P.a).memory('i32_load8_u').i32(letter.charCodeAt(0)).op('i32_eq').if();
  code.i32(1024).globalGet(COUNT).memory('i64_store');
  code.i32(1032).globalGet(RATIO).memory('f64_store');
  code.i32(1040).memorySize().memory('i32_store');
  code.i32(1044).i32(2048).memory('i32_load').memory('i32_store');
  code.i32(1048).i32(60_000).memory('i32_load').memory('i32_store');
  code.globalGet(COUNT).i64(1n).op('i64_add').globalSet(COUNT);
  code.globalGet(RATIO).globalGet(RATIO).op('f64_add').globalSet(RATIO);
  code.i32(2048).i32(-1).memory('i32_store').i32(60_000).i32(-1).memory('i32_store');
  on('g').i32(1).memoryGrow().op('drop').end();
  on('t').op('unreachable').end();
  return agentModule({
    step: result(code, 0, 1024, 28),
    globals: [
      { type: I64, mutable: true, init: new Code().i64(5n) },
      { type: F64, mutable: true, init: new Code().f64(1.5) },
    ],
    data: [text(2048, 'seed')],
  });
};

const stepsOf = (guarded: GuardedModule, payloads: readonly string[]): StepResult[] => {
  const engine = createStepEngine(compileForV8(guarded), guarded, DEFAULT_LIMITS);
  return payloads.map((payload) => {
    const body = { kind: 'start' as const, payload: new TextEncoder().encode(payload), features: new Float64Array(3) };
    return engine.step(new Uint8Array(0), { turn: 0, seed: 1n, time: 0, body }, DEFAULT_LIMITS.fuel);
  });
};

describe('an instance that is put back', () => {
  const guarded = guardModule(hoarder(), DEFAULT_LIMITS);
  const payload = fc.oneof(fc.constantFrom('g', 't', 'x'), fc.string({ maxLength: 70_000, size: 'max' }));

  it('cannot be told from a new one, after any steps before', () => {
    assert.equal(guarded.resets?.length, 3);
    const { resets: _resets, ...never } = guarded;
    fc.assert(
      fc.property(fc.array(payload, { minLength: 2, maxLength: 8 }), (payloads) => {
        assert.deepEqual(stepsOf(guarded, payloads), stepsOf(never, payloads));
      }),
      { numRuns: 30 },
    );
  });

  it('is not to be had where something else could change', () => {
    const table = guardModule(agentModule({ step: result(new Code(), 0, 0, 0), table: { min: 1 } }), DEFAULT_LIMITS);
    assert.equal(table.resets, undefined);
    const globals = Array.from({ length: 20 }, () => ({ type: I64, mutable: true, init: new Code().i64(0n) }));
    assert.equal(
      guardModule(agentModule({ step: result(new Code(), 0, 0, 0), globals }), DEFAULT_LIMITS).resets,
      undefined,
    );
  });
});
