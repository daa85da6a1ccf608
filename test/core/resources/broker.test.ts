import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { BrokerEvent, BrokerState, BrokerStep, LeaseRequest } from '../../../src/core/resources/broker.ts';
import { apply, createBroker, dueLeases, nextDeadline, requestError } from '../../../src/core/resources/broker.ts';
import { describe as describeBroker, queuePosition, utilisation } from '../../../src/core/resources/view.ts';

const request = (leaseId: string, over: Partial<LeaseRequest> = {}): LeaseRequest => ({
  leaseId,
  holder: { workflowId: `training/${leaseId}`, runId: 'r1' },
  class: 'cpu',
  priority: 3,
  maxMs: 1000,
  purpose: 'train',
  ...over,
});

/** Applies events one after the other and keeps what came of each. */
function play(state: BrokerState, events: [number, BrokerEvent][]): { state: BrokerState; steps: BrokerStep[] } {
  const steps: BrokerStep[] = [];
  for (const [now, event] of events) {
    const step = apply(state, event, now);
    steps.push(step);
    state = step.state;
  }
  return { state, steps };
}

const ask = (leaseId: string, over: Partial<LeaseRequest> = {}): BrokerEvent => ({
  type: 'request',
  request: request(leaseId, over),
});
const ids = (leases: readonly { leaseId: string }[]): string[] => leases.map((lease) => lease.leaseId);

describe('lease broker', () => {
  it('grants at once while devices are free, then queues by priority and arrival', () => {
    const { state, steps } = play(createBroker({ cpu: 1 }), [
      [0, ask('a')],
      [1, ask('b', { priority: 4 })],
      [2, ask('c')],
      [3, ask('d')],
      [4, ask('e', { priority: 1 })],
    ]);
    assert.deepEqual(ids(steps[0]!.granted), ['a']);
    assert.deepEqual(ids(state.queued), ['e', 'c', 'd', 'b']);
    assert.equal(queuePosition(state, 'a'), 0);
    assert.equal(queuePosition(state, 'd'), 3);
    assert.equal(queuePosition(state, 'nobody'), undefined);
    const released = apply(state, { type: 'release', leaseId: 'a' }, 50);
    assert.deepEqual(ids(released.granted), ['e']);
    assert.deepEqual(released.finished, [
      {
        leaseId: 'a',
        class: 'cpu',
        holder: { workflowId: 'training/a', runId: 'r1' },
        purpose: 'train',
        ms: 50,
        waitedMs: 0,
        end: 'released',
      },
    ]);
  });

  it('keeps classes apart: a full class does not hold up another', () => {
    const { steps } = play(createBroker({ cpu: 1, h200: 1 }), [
      [0, ask('a')],
      [0, ask('b')],
      [0, ask('c', { class: 'h200', priority: 5 })],
    ]);
    assert.deepEqual(
      steps.map((step) => ids(step.granted)),
      [['a'], [], ['c']],
    );
  });

  it('refuses an unknown class, naming the known ones, and lists every problem of a bad request', () => {
    const state = createBroker({ cpu: 1 });
    const unknown = apply(state, ask('a', { class: 'tpu' }), 0);
    assert.equal(unknown.rejected[0]?.code, 'CHIMERA_NO_DEVICE');
    assert.deepEqual(unknown.rejected[0]?.details['known'], ['cpu']);
    assert.equal(requestError(state, request('a', { class: 'toString' }))?.code, 'CHIMERA_NO_DEVICE');
    const bad = apply(state, ask('', { priority: 9, maxMs: 0 }), 0);
    assert.equal(bad.rejected[0]?.code, 'CHIMERA_INVALID_INPUT');
    assert.deepEqual(
      bad.rejected[0]?.details.problems?.map((p) => p.path),
      ['/leaseId', '/priority', '/maxMs'],
    );
    assert.equal(bad.state.held.length + bad.state.queued.length, 0);
  });

  it('extends a lease whose holder is alive, as often as the policy says, then ends it', () => {
    const broker = createBroker({ cpu: 1 }, { maxExtensions: 2, extensionShare: 0.5 });
    const look = (now: number): [number, BrokerEvent] => [now, { type: 'expire', leaseId: 'a', holderAlive: true }];
    const { state, steps } = play(broker, [[0, ask('a')], look(999), look(1000), look(1500), look(2000)]);
    assert.deepEqual(
      steps.map((step) => step.extended.map((lease) => lease.deadline)),
      [[], [], [1500], [2000], []],
    );
    assert.equal(steps[4]?.finished[0]?.end, 'expired');
    assert.equal(steps[4]?.finished[0]?.ms, 2000);
    assert.equal(nextDeadline(state), undefined);
  });

  it('ends a lease and a waiting request at once when the holder is found gone', () => {
    const gone = (leaseId: string): BrokerEvent => ({ type: 'expire', leaseId, holderAlive: false });
    const { state, steps } = play(createBroker({ cpu: 1 }), [
      [0, ask('a')],
      [1, ask('b')],
      [2, ask('c')],
      [3, gone('b')],
      [4, gone('a')],
    ]);
    assert.deepEqual(ids(steps[3]!.cancelled), ['b']);
    assert.equal(steps[4]?.finished[0]?.end, 'lost');
    assert.deepEqual(ids(state.held), ['c']);
  });

  it('tells which leases are due, earliest first', () => {
    const { state } = play(createBroker({ cpu: 3 }), [
      [0, ask('a', { maxMs: 30 })],
      [0, ask('b', { maxMs: 10 })],
      [0, ask('c', { maxMs: 90 })],
    ]);
    assert.equal(nextDeadline(state), 10);
    assert.deepEqual(ids(dueLeases(state, 30)), ['b', 'a']);
  });

  it('takes a repeated request or release as one, and refuses another content or an ended lease', () => {
    const once = play(createBroker({ cpu: 1 }), [[0, ask('a')]]).state;
    const again = apply(once, ask('a'), 0);
    assert.deepEqual(again.state, once);
    assert.deepEqual(again.granted, []);
    assert.equal(apply(once, ask('a', { purpose: 'other' }), 0).rejected[0]?.code, 'CHIMERA_CONFLICT');
    const released = apply(once, { type: 'release', leaseId: 'a' }, 5).state;
    const twice = apply(released, { type: 'release', leaseId: 'a' }, 5);
    assert.deepEqual(twice.state, released);
    assert.deepEqual(twice.finished, []);
    assert.equal(apply(released, ask('a'), 6).rejected[0]?.code, 'CHIMERA_LEASE_LOST');
  });

  it('resizes: held leases stay, a bigger class grants at once, a removed one rejects its queue', () => {
    const start = play(createBroker({ cpu: 2, h200: 0 }), [
      [0, ask('a')],
      [0, ask('b')],
      [0, ask('c')],
      [0, ask('g', { class: 'h200' })],
    ]).state;
    const smaller = apply(start, { type: 'resize', classes: { cpu: 1 } }, 1);
    assert.deepEqual(ids(smaller.state.held), ['a', 'b']);
    assert.equal(smaller.rejected[0]?.code, 'CHIMERA_NO_DEVICE');
    assert.deepEqual(apply(smaller.state, { type: 'release', leaseId: 'a' }, 2).granted, []);
    const bigger = apply(smaller.state, { type: 'resize', classes: { cpu: 3 } }, 2);
    assert.deepEqual(ids(bigger.granted), ['c']);
  });

  it('measures utilisation over device time and describes itself to people', () => {
    const { state } = play(createBroker({ cpu: 2, h200: 0 }), [
      [1000, ask('a')],
      [2000, ask('g', { class: 'h200' })],
      [3000, { type: 'tick' }],
      [2500, { type: 'tick' }],
    ]);
    assert.deepEqual(utilisation(state), [
      { class: 'cpu', devices: 2, held: 1, queued: 0, utilisation: 0.5 },
      { class: 'h200', devices: 0, held: 0, queued: 1, utilisation: 0 },
    ]);
    assert.match(
      describeBroker(state),
      /^cpu: 1 of 2 held, 0 waiting, 50 % used so far\n {2}held by training\/a: train$/m,
    );
    assert.match(describeBroker(state), /no device of this class is there/);
    assert.match(describeBroker(createBroker({})), /no device class/);
  });

  it('lists ten who wait and counts the rest', () => {
    const events = Array.from({ length: 14 }, (_, i): [number, BrokerEvent] => [i, ask(`l${i}`)]);
    const text = describeBroker(play(createBroker({ cpu: 1 }), events).state);
    assert.match(text, /10\. training\/l10/);
    assert.match(text, /and 3 more/);
  });
});

describe('lease broker, any history', () => {
  const lease = fc.integer({ min: 0, max: 11 }).map((n) => `l${n}`);
  const event: fc.Arbitrary<BrokerEvent> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant('request' as const), request: anyRequest(lease) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('release' as const), leaseId: lease }) },
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constant('expire' as const), leaseId: lease, holderAlive: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.constant({ type: 'tick' as const }) },
  );
  const history = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), event), { maxLength: 80 });
  const devices: Record<string, number> = { cpu: 2, h200: 1 };

  function anyRequest(leaseId: fc.Arbitrary<string>): fc.Arbitrary<LeaseRequest> {
    return fc
      .tuple(leaseId, fc.constantFrom('cpu', 'h200', 'none'), fc.integer({ min: 1, max: 5 }))
      .map(([id, name, priority]) => request(id, { class: name, priority, maxMs: 25 }));
  }

  it('never holds more than there are devices, never idles a device somebody waits for, in order', () => {
    fc.assert(
      fc.property(history, (events) => {
        let state = createBroker(devices, { rememberEnded: 2 });
        let now = 0;
        for (const [delay, next] of events) {
          now += delay;
          const step = apply(state, next, now);
          state = step.state;
          for (const name of Object.keys(devices)) {
            const held = state.held.filter((l) => l.class === name).length;
            const waiting = state.queued.filter((l) => l.class === name);
            assert.ok(held <= devices[name]!);
            assert.ok(held === devices[name] || waiting.length === 0);
            for (const granted of step.granted.filter((l) => l.class === name))
              for (const other of waiting)
                assert.ok(
                  granted.priority < other.priority ||
                    (granted.priority === other.priority && granted.arrival < other.arrival),
                );
          }
        }
      }),
    );
  });

  it('ends every granted lease with one ledger line, and its state survives JSON', () => {
    fc.assert(
      fc.property(history, (events) => {
        let state = createBroker(devices);
        let now = 0;
        const granted: string[] = [];
        const finished: string[] = [];
        const run = (next: BrokerEvent): void => {
          const before = JSON.stringify(state);
          const step = apply(JSON.parse(before) as BrokerState, next, now);
          assert.deepEqual(apply(state, next, now), step);
          assert.equal(JSON.stringify(state), before, 'apply changed its input');
          granted.push(...ids(step.granted));
          finished.push(...ids(step.finished));
          state = step.state;
        };
        for (const [delay, next] of events) {
          now += delay;
          run(next);
        }
        // Nobody gives anything back any more: looking at each deadline must drain the broker.
        for (let due = nextDeadline(state); due !== undefined; due = nextDeadline(state)) {
          now = Math.max(now, due);
          for (const lost of dueLeases(state, now)) run({ type: 'expire', leaseId: lost.leaseId, holderAlive: true });
        }
        assert.deepEqual(state.queued, []);
        assert.deepEqual([...finished].sort(), [...granted].sort());
        assert.equal(new Set(granted).size, granted.length);
      }),
    );
  });
});
