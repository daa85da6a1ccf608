import assert from 'node:assert/strict';
import { DEFAULT_LIMITS } from '../../../src/core/execution/limits.ts';
import type { StepEvent } from '../../../src/core/execution/types.ts';
import { Code } from '../../../src/core/wasm/code.ts';
import { createStepEngine } from '../../../src/fabric/abi/step.ts';
import type { SyncStepEngine } from '../../../src/fabric/abi/step.ts';
import { guardModule } from '../../../src/fabric/guard/guard.ts';
import { compileForV8 } from '../../../src/fabric/v8/engine.ts';
import { P, agentModule, answering, asking, echo, put, result, text } from '../agents.ts';

const utf8 = new TextEncoder();
const start = (payload = '{}', features: number[] = [], turn = 0): StepEvent => ({
  turn,
  seed: 7n,
  time: 0,
  body: { kind: 'start', payload: utf8.encode(payload), features: Float64Array.from(features) },
});
const engineOf = (bytes: Uint8Array, limits = DEFAULT_LIMITS): SyncStepEngine => {
  const guarded = guardModule(bytes, limits);
  return createStepEngine(compileForV8(guarded), guarded, limits);
};
const EMPTY = new Uint8Array(0);

describe('fabric/v8 engine', () => {
  it('passes the payload in and the output out', () => {
    const payload = JSON.stringify({ text: 'grüße 🌍', n: [1, 2, 3] });
    const step = engineOf(echo()).step(EMPTY, start(payload), DEFAULT_LIMITS.fuel);
    assert.ok(step.ok && step.outcome.kind === 'done');
    assert.equal(new TextDecoder().decode(step.outcome.output), payload);
    assert.equal(step.memoryBytes, 65536);
  });

  it('gives every step a memory without a trace of the one before, after a trap too', () => {
    // Answers with the byte at 2048 of its memory, then writes there, and traps where the payload is a "t".
    const code = new Code().i32(1024).i32(2048).memory('i32_load8_u').memory('i32_store8');
    code.i32(2048).i32(7).memory('i32_store8').get(P.a).memory('i32_load8_u').i32(116).op('i32_eq');
    code.if().op('unreachable').end();
    const agent = engineOf(agentModule({ step: result(code, 0, 1024, 1) }));
    for (const payload of ['x', 't', 'x']) {
      const step = agent.step(EMPTY, start(payload), DEFAULT_LIMITS.fuel);
      assert.equal(step.ok, payload === 'x');
      if (step.ok && step.outcome.kind === 'done') assert.equal(step.outcome.output[0], 0);
    }
  });

  it('passes features, seed, time, turn and state as the ABI says', () => {
    const code = new Code().get(P.b).memory('f64_load', 8).op('i32_trunc_f64_s');
    code.get(P.seed).op('i32_wrap_i64', 'i32_add').get(P.time).op('i32_wrap_i64', 'i32_add').get(P.turn).op('i32_add');
    code.get(P.state).memory('i32_load8_u').op('i32_add').get(P.stateLength).op('i32_add').set(10);
    code.i32(1024).get(10).memory('i32_store8');
    const agent = engineOf(agentModule({ step: result(code, 0, 1024, 1) }));
    const event: StepEvent = { ...start('{}', [1, 40]), turn: 3, seed: 2n ** 64n - 1n, time: 5 };
    const step = agent.step(Uint8Array.of(9, 0), event, DEFAULT_LIMITS.fuel);
    assert.ok(step.ok && step.outcome.kind === 'done');
    assert.equal(step.outcome.output[0], 40 - 1 + 5 + 3 + 9 + 2);
  });

  it('passes effects out and their results in', () => {
    const agent = engineOf(asking(0, '{"model":"m"}', 2));
    const first = agent.step(EMPTY, start(), DEFAULT_LIMITS.fuel);
    assert.ok(first.ok && first.outcome.kind === 'effects');
    assert.deepEqual(
      first.outcome.effects.map(({ kind, request }) => [kind, new TextDecoder().decode(request)]),
      [
        ['infer', '{"model":"m"}'],
        ['infer', '{"model":"m"}'],
      ],
    );
    const results = ['"yes"', '"no"'].map((body) => ({
      ok: true,
      body: utf8.encode(body),
      scores: Float64Array.of(1),
    }));
    const second = agent.step(
      first.state,
      { ...start(), turn: 1, body: { kind: 'results', results } },
      DEFAULT_LIMITS.fuel,
    );
    assert.ok(second.ok && second.outcome.kind === 'done');
    assert.equal(new TextDecoder().decode(second.outcome.output), '"yes"');
  });

  it('lifts state, failure reason and log', () => {
    const code = result(new Code(), 1, 1024, 4).op('drop');
    put(code, 64, 1028);
    put(code, 68, 2);
    put(code, 84, 200);
    put(code, 88, 1);
    put(code, 200, 1024);
    put(code, 204, 6).i32(64);
    const step = engineOf(agentModule({ step: code, data: [text(1024, 'noop!!')] })).step(EMPTY, start(), 1e6);
    assert.ok(step.ok);
    assert.deepEqual(step.outcome, { kind: 'fail', reason: 'noop' });
    assert.deepEqual([...step.state], [33, 33]);
    assert.deepEqual(step.log, ['noop!!']);
  });

  it('counts the same fuel each time, and one unit less is not enough', () => {
    const agent = engineOf(echo());
    const first = agent.step(EMPTY, start('{"a":1}'), 1e9);
    const again = agent.step(EMPTY, start('{"a":1}'), 1e6);
    assert.equal(first.fuel, again.fuel);
    assert.ok(agent.step(EMPTY, start('{"a":1}'), first.fuel).ok);
    const short = agent.step(EMPTY, start('{"a":1}'), first.fuel - 1);
    assert.ok(!short.ok && short.trap === 'out-of-fuel' && short.fuel === first.fuel - 1);
    const none = agent.step(EMPTY, start('{"a":1}'), 10);
    assert.ok(!none.ok && none.trap === 'out-of-fuel' && none.fuel === 10);
  });

  it('takes all the fuel of a step that traps, and what it used of one whose answer is refused', () => {
    const trapping = engineOf(agentModule({ step: new Code().op('unreachable') })).step(EMPTY, start(), 1e6);
    assert.ok(!trapping.ok && trapping.trap === 'unreachable' && trapping.fuel === 1e6);
    const refused = engineOf(agentModule({ step: new Code().i32(-4) })).step(EMPTY, start(), 1e6);
    assert.ok(!refused.ok && refused.trap === 'bad-outcome' && refused.fuel < 10_000);
  });

  it('runs more than 1,000 small steps a second, even on a busy machine', () => {
    const agent = engineOf(answering('{"label":"ham"}'));
    const event = start('{"text":"hello"}', [1, 2, 3]);
    for (let i = 0; i < 200; i++) agent.step(EMPTY, event, 1e6);
    const began = performance.now();
    for (let i = 0; i < 2000; i++) agent.step(EMPTY, event, 1e6);
    const perSecond = 2000 / ((performance.now() - began) / 1000);
    assert.ok(perSecond > 1000, `${perSecond.toFixed(0)} steps/s`);
  });
});
