import assert from 'node:assert/strict';
import { Gate } from '../../src/effects/gate.ts';

/** Work that ends when it is told to. */
function work(name: string, begun: string[]): { start: () => Promise<string>; end: () => void } {
  const done = Promise.withResolvers<string>();
  return {
    start: () => {
      begun.push(name);
      return done.promise;
    },
    end: () => done.resolve(name),
  };
}

describe('a gate', () => {
  const never = new AbortController().signal;

  it('lets so many through at once, and the others in their order', async () => {
    const gate = new Gate(2);
    const begun: string[] = [];
    const all = ['a', 'b', 'c', 'd'].map((name) => work(name, begun));
    const results = all.map(({ start }) => gate.run(start, never));
    assert.deepEqual(begun, ['a', 'b']);
    all[1]!.end();
    await results[1];
    assert.deepEqual(begun, ['a', 'b', 'c']);
    for (const { end } of all) end();
    assert.deepEqual(await Promise.all(results), ['a', 'b', 'c', 'd']);
    assert.deepEqual(begun, ['a', 'b', 'c', 'd']);
  });

  it('forgets who gave up, and loses no place to them nor to what fails', async () => {
    const gate = new Gate(1);
    const begun: string[] = [];
    const first = work('first', begun);
    const stop = new AbortController();
    const running = gate.run(first.start, never);
    const gaveUp = gate.run(() => assert.fail('was begun'), stop.signal);
    const failing = gate.run(() => Promise.reject(new Error('failed')), never);
    const last = gate.run(() => Promise.resolve('last'), never);
    stop.abort();
    assert.equal(await gaveUp, undefined);
    first.end();
    assert.equal(await running, 'first');
    await assert.rejects(failing, /failed/);
    assert.equal(await last, 'last');
    assert.equal(await gate.run(() => Promise.resolve('again'), never), 'again');
    assert.equal(await gate.run(() => assert.fail('was begun'), stop.signal), undefined);
  });
});
