import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ExecutionLimits, JsonValue } from '../../../src/contracts/records.ts';
import { advance, drive, endedEarly, isSuspension, recordHash, seedOf } from '../../../src/core/execution/driver.ts';
import { DEFAULT_LIMITS, LIMIT_CEILINGS, effectiveLimits } from '../../../src/core/execution/limits.ts';
import { effectAnswer, effectError, hashOfResult } from '../../../src/core/execution/results.ts';
import { addTo } from '../../../src/core/execution/transcript.ts';
import type {
  EffectRequest,
  EffectResult,
  Execution,
  ExecutionRecord,
  Outcome,
  StepEvent,
  StepResult,
} from '../../../src/core/execution/types.ts';

const utf8 = new TextEncoder();
const done = (output: JsonValue): Outcome => ({ kind: 'done', output: utf8.encode(JSON.stringify(output)) });
const ask = (...kinds: readonly ['infer' | 'http' | 'sleep', string][]): Outcome => ({
  kind: 'effects',
  effects: kinds.map(([kind, request]) => ({ kind, request: utf8.encode(request) })),
});
type Turn = (
  event: StepEvent,
  state: Uint8Array,
  fuel: number,
) => Partial<StepResult & { ok: true }> & { outcome: Outcome };

/** An execution whose agent is a function; each step costs 10 fuel. */
function execution(turn: Turn, more: Partial<Execution> = {}): Execution {
  return {
    engine: {
      step: (state, event, fuel) => ({
        ok: true,
        fuel: 10,
        memoryBytes: 65536,
        state: Uint8Array.of(event.turn),
        log: [],
        ...turn(event, state, fuel),
      }),
    },
    input: { payload: utf8.encode('{}'), features: new Float64Array(0) },
    seed: 1n,
    limits: DEFAULT_LIMITS,
    capabilities: ['infer', 'http', 'sleep'],
    effects: { perform: (effects) => effects.map(({ request }) => effectAnswer(request)) },
    priceVersion: 1,
    ...more,
  };
}

const sync = (job: Execution): ExecutionRecord => {
  const record = drive(job);
  assert.ok(!(record instanceof Promise), 'answers at once');
  return record;
};

describe('core/execution driver', () => {
  it('runs turn by turn, hands state and results on, and adds up fuel', () => {
    const seen: unknown[] = [];
    const record = sync(
      execution((event, state, fuel) => {
        seen.push([event.turn, event.body.kind, [...state], fuel]);
        return event.turn < 2
          ? { outcome: ask(['infer', '{"model":"m"}']), log: [`turn ${event.turn}`] }
          : { outcome: done({ a: 1 }) };
      }),
    );
    assert.deepEqual(seen, [
      [0, 'start', [], DEFAULT_LIMITS.fuel],
      [1, 'results', [0], DEFAULT_LIMITS.fuel - 10],
      [2, 'results', [1], DEFAULT_LIMITS.fuel - 20],
    ]);
    assert.deepEqual(
      [record.status, record.output, record.fuel, record.turns, record.modelCalls],
      ['completed', { a: 1 }, 30, 3, 2],
    );
    assert.deepEqual(record.log, ['turn 0', 'turn 1']);
    assert.deepEqual(
      record.effects.map(({ turn, index, kind, ok }) => [turn, index, kind, ok]),
      [
        [0, 0, 'infer', true],
        [1, 0, 'infer', true],
      ],
    );
  });

  it('gives the same record whether engine and handler answer at once or later', async () => {
    const turn: Turn = (event) => ({ outcome: event.turn === 0 ? ask(['infer', '1'], ['http', '2']) : done('x') });
    const now = execution(turn);
    const later = execution(turn, {
      engine: { step: async (...args) => now.engine.step(...args) },
      effects: { perform: async (...args) => now.effects.perform(...args) },
    });
    const record = drive(later);
    assert.ok(record instanceof Promise);
    assert.deepEqual(await record, sync(now));
    assert.equal(recordHash(await record), recordHash(sync(now)));
  });

  it('gives the same record wherever it is left and resumed, through JSON and on another driver', () => {
    const turn: Turn = (event) => {
      const time = event.body.kind === 'results' ? event.body.results.length : 0;
      const asked = ask(['http', `{"n":${event.turn}}`], ['sleep', '{"ms":7}'], ['infer', `${time}`], ['http', '"x"']);
      return { outcome: event.turn < 6 ? asked : done(event.time), log: [`turn ${event.turn}`] };
    };
    const whole = sync(execution(turn));
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), (leaves) => {
        const answer = ({ request }: EffectRequest): EffectResult => effectAnswer(request);
        const leaving = execution(turn, {
          effects: {
            perform: (effects, at) =>
              effects.map((effect) => (leaves[at] === true && effect.kind !== 'infer' ? undefined : answer(effect))),
          },
        });
        let left = 0;
        let end = advance(leaving);
        for (;;) {
          assert.ok(!(end instanceof Promise));
          if (!isSuspension(end)) break;
          left++;
          const { checkpoint, asked, answers } = end;
          const filled = answers.map((known, i) => known ?? answer(asked[i]!));
          const log = JSON.parse(JSON.stringify(checkpoint.log)) as string[];
          end = advance(leaving, { checkpoint: { ...checkpoint, log }, asked, answers: filled });
        }
        assert.equal(left, leaves.filter(Boolean).length);
        assert.equal(recordHash(end), recordHash(whole));
        assert.deepEqual(
          [end.output, end.turns, end.fuel, end.modelCalls, end.log],
          [whole.output, whole.turns, whole.fuel, whole.modelCalls, whole.log],
        );
        assert.deepEqual(addTo(end.transcript, end.effects), addTo(whole.transcript, whole.effects));
      }),
    );
  });

  it('is a failed execution of its own name where it is ended from outside', () => {
    const left = advance(
      execution(() => ({ outcome: ask(['http', '1']), log: ['so far'] }), { effects: { perform: () => [undefined] } }),
    );
    assert.ok(!(left instanceof Promise) && isSuspension(left));
    const reason = { code: 'cancelled', message: 'by ada' } as const;
    const record = endedEarly(left.checkpoint, reason, 1, { half: true });
    assert.deepEqual([record.status, record.reason, record.output], ['failed', reason, { half: true }]);
    assert.deepEqual([record.turns, record.fuel, record.log], [1, 10, ['so far']]);
    assert.throws(
      () => drive(execution(() => ({ outcome: ask(['http', '1']) }), { effects: { perform: () => [undefined] } })),
      /turn 0 was not performed/,
    );
  });

  it('answers effects outside the capabilities itself, in their place', () => {
    let answers: unknown;
    const record = sync(
      execution(
        (event) => {
          if (event.body.kind === 'results') {
            answers = event.body.results.map(({ ok, body }) => [ok, JSON.parse(new TextDecoder().decode(body))]);
          }
          return { outcome: event.turn === 0 ? ask(['http', '1'], ['infer', '2'], ['http', '3']) : done(null) };
        },
        {
          capabilities: ['infer'],
          effects: {
            perform: (effects) => {
              assert.deepEqual(
                effects.map(({ index }) => index),
                [1],
              );
              return [effectAnswer('yes')];
            },
          },
        },
      ),
    );
    const no = { code: 'CHIMERA_FORBIDDEN', message: 'no capability http' };
    assert.deepEqual(answers, [
      [false, no],
      [true, 'yes'],
      [false, no],
    ]);
    assert.equal(record.modelCalls, 1);
  });

  it('moves virtual time by sleep alone', () => {
    const times: number[] = [];
    sync(
      execution((event) => {
        times.push(event.time);
        if (event.turn === 0)
          return { outcome: ask(['sleep', '{"ms":1500}'], ['infer', '{}'], ['sleep', '{"ms":-1}']) };
        return { outcome: event.turn === 1 ? ask(['infer', '{}']) : done(1) };
      }),
    );
    assert.deepEqual(times, [0, 1500, 1500]);
  });

  const failures: [name: string, code: string, turn: Turn, limits?: Partial<ExecutionLimits>][] = [
    ['the agent gives up', 'agent-failed', () => ({ outcome: { kind: 'fail', reason: 'no idea' } })],
    ['the output is not JSON', 'bad-output', () => ({ outcome: { kind: 'done', output: utf8.encode('{') } })],
    [
      'the output is not UTF-8',
      'bad-output',
      () => ({ outcome: { kind: 'done', output: Uint8Array.of(0x22, 0xff, 0x22) } }),
    ],
    ['the output breaks the schema', 'bad-output', () => ({ outcome: done('wrong') })],
    ['a request is not JSON', 'bad-outcome', () => ({ outcome: ask(['infer', 'nope']) })],
    ['it never ends', 'too-many-turns', () => ({ outcome: ask(['infer', '1']) }), { turns: 5 }],
    [
      'it logs over several turns too much',
      'log-too-large',
      () => ({ outcome: ask(['infer', '1']), log: ['0123456789'] }),
      { logBytes: 35 },
    ],
  ];
  for (const [name, code, turn, limits] of failures) {
    it(`is a failed execution where ${name}`, () => {
      const validateOutput = (output: JsonValue): { path: string; message: string }[] =>
        output === 'wrong' ? [{ path: '/x', message: 'is wrong' }] : [];
      const record = sync(execution(turn, { validateOutput, limits: { ...DEFAULT_LIMITS, ...limits } }));
      assert.equal(record.status, 'failed');
      assert.equal(record.reason?.code, code);
      assert.equal(record.output, undefined);
    });
  }

  it('turns a trap into a failed execution and lets other faults through', async () => {
    const trap = { ok: false, trap: 'unreachable', message: 'm', fuel: 5, memoryBytes: 1 } as const;
    const record = sync(execution(() => ({ outcome: done(1) }), { engine: { step: () => trap } }));
    assert.deepEqual(record.reason, { code: 'unreachable', message: 'm' });
    assert.equal(record.fuel, 5);
    const broken = execution(() => ({ outcome: ask(['infer', '1']) }), {
      effects: { perform: () => Promise.reject(new Error('the network is down')) },
    });
    await assert.rejects(async () => drive(broken), /network is down/);
    const short = execution(() => ({ outcome: ask(['infer', '1']) }), { effects: { perform: () => [] } });
    assert.throws(() => drive(short), RangeError);
  });

  it('names results by all that the agent sees of them', () => {
    const hashes = [
      effectAnswer('a'),
      effectAnswer('a', Float64Array.of(1)),
      effectAnswer('a', Float64Array.of(-0)),
      effectAnswer('a', Float64Array.of(0)),
      effectAnswer('b'),
      effectError('a', 'b'),
    ].map(hashOfResult);
    assert.equal(new Set(hashes).size, hashes.length);
    assert.equal(hashOfResult(effectAnswer('a')), hashes[0]);
  });

  it('takes the strictest limits and names every bad one', () => {
    assert.deepEqual(effectiveLimits(), DEFAULT_LIMITS);
    assert.equal(effectiveLimits({ fuel: 1000 }, { fuel: 10 }).fuel, 10);
    assert.equal(effectiveLimits({ depth: 1e9 }).depth, LIMIT_CEILINGS.depth);
    assert.throws(() => effectiveLimits({ fuel: 0 }, { turns: 1.5 }), { code: 'CHIMERA_INVALID_INPUT' });
    assert.ok(seedOf('x') !== seedOf('y') && seedOf('x') < 2n ** 64n);
  });
});
