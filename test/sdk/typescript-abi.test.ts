import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decode, encode, infer, liftEvent, lowerStep } from '../../templates/agent/typescript/agent/abi.ts';
import { step } from '../../templates/agent/typescript/agent/main.ts';
import type * as wit from '../../wit/agent.d.ts';

const utf8 = new TextEncoder();
const json = (value: unknown): Uint8Array => utf8.encode(JSON.stringify(value));
const start = (payload: unknown, features: number[] = []): wit.Event => ({
  turn: 0,
  seed: 7n,
  time: 0n,
  body: { tag: 'start', val: { payload: json(payload), features: Float64Array.from(features) } },
});

describe('sdk: the ABI of the TypeScript template', () => {
  it('reads and writes UTF-8 as the platform does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.deepEqual(encode(text), utf8.encode(text));
        assert.equal(decode(utf8.encode(text)), text);
      }),
    );
    const long = 'Größe '.repeat(10_000);
    assert.equal(decode(utf8.encode(long)), long);
  });

  it('lifts the task, or the answers to effects', () => {
    const event = liftEvent(start({ text: 'ä' }, [1, 0.5]));
    assert.deepEqual(event, {
      turn: 0,
      seed: 7,
      time: 0,
      task: { payload: { text: 'ä' }, features: [1, 0.5] },
      results: [],
    });
    const result = { ok: true, body: json({ label: 'x' }), scores: Float64Array.of(0.25) };
    const answered = liftEvent({ turn: 1, seed: 7n, time: 3n, body: { tag: 'results', val: [result] } });
    assert.deepEqual(answered.results, [{ ok: true, body: { label: 'x' }, scores: [0.25] }]);
    assert.deepEqual([answered.task, answered.time], [undefined, 3]);
  });

  it('lowers every outcome', () => {
    const empty = { state: new Uint8Array(0), log: [] };
    assert.deepEqual(lowerStep({ kind: 'done', output: [1] }), { ...empty, outcome: { tag: 'done', val: json([1]) } });
    assert.deepEqual(lowerStep({ kind: 'fail', reason: 'no', log: ['a'] }), {
      ...empty,
      log: ['a'],
      outcome: { tag: 'fail', val: 'no' },
    });
    const request = json({ model: 'm', input: '/text' });
    assert.deepEqual(lowerStep({ kind: 'effects', effects: [infer('m', '/text')], state: 's' }), {
      state: utf8.encode('s'),
      log: [],
      outcome: { tag: 'effects', val: [{ kind: 'infer', request }] },
    });
  });

  describe('its entry', () => {
    const { Date } = globalThis;
    const { random } = Math;
    afterEach(() => {
      Math.random = random;
      globalThis.Date = Date;
    });

    it('makes a failure with a message of an error in the agent', () => {
      const { outcome, log } = step(new Uint8Array(0), start({}, [1]));
      assert.equal(outcome.tag, 'fail');
      assert.match(outcome.val as string, /^TypeError: /);
      assert.match(log[0]!, /agent\.ts/);
    });

    it('has the virtual time for a clock', () => {
      step(new Uint8Array(0), { ...start({ text: 'error' }, [1]), time: 86_400_000n });
      assert.deepEqual([globalThis.Date.now(), new globalThis.Date().getTime()], [86_400_000, 86_400_000]);
      assert.equal(new globalThis.Date('2024-02-29T00:00:00Z').toISOString(), '2024-02-29T00:00:00.000Z');
      assert.ok(new globalThis.Date() instanceof Date && globalThis.Date.UTC(1970, 0) === 0);
    });

    it('seeds Math.random by seed and turn', () => {
      const draw = (seed: bigint): number[] => {
        step(new Uint8Array(0), { ...start({ text: 'error' }, [1]), seed });
        return [Math.random(), Math.random()];
      };
      const drawn = draw(7n);
      assert.deepEqual(draw(7n), drawn);
      assert.notDeepEqual(draw(8n), drawn);
      assert.ok(drawn.every((value) => value >= 0 && value < 1) && drawn[0] !== drawn[1]);
    });
  });
});
