import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, it } from 'mocha';
import { invalidInput, isChimeraError } from '../../../src/contracts/errors.ts';
import { CallProcess } from '../../../src/learning/process/calls.ts';
import { isAlive, untilGone } from './alive.ts';
import type { TestCalls, TestLookups } from './answering.ts';

const ENTRY = fileURLToPath(new URL('./answering.ts', import.meta.url));

describe('calls into a process', () => {
  const started: CallProcess<TestCalls, TestLookups>[] = [];
  const square = (value: number): Promise<number> =>
    value < 0 ? Promise.reject(invalidInput('the number', [])) : Promise.resolve(value * value);
  const start = (): CallProcess<TestCalls, TestLookups> => {
    const own = new CallProcess<TestCalls, TestLookups>(ENTRY, { square });
    started.push(own);
    return own;
  };
  afterEach(async () => {
    for (const own of started.splice(0)) {
      own.kill();
      await untilGone(own.pid!);
    }
  });

  it('are answered in their order, with what was sent: vectors, large numbers, numbers that are none', async () => {
    const own = start();
    const values = [Float32Array.of(1, 2), 1n << 60n, NaN, undefined, new Map([[1, 'a']])];
    const order: number[] = [];
    const answers = await Promise.all(
      values.map(async (value, i) => {
        const answer = await own.call('echo', value);
        order.push(i);
        return answer;
      }),
    );
    assert.deepEqual(answers, values);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
  });

  it('fail as their handler does, and the process goes on', async () => {
    const own = start();
    await assert.rejects(own.call('refuse', null), (error) => {
      assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'));
      assert.deepEqual(error.details.problems, [{ path: '/a', message: 'is wrong' }]);
      return true;
    });
    await assert.rejects(own.call('fail', null), { code: 'CHIMERA_INTERNAL', message: /TypeError: a bug/ });
    assert.equal(await own.call('echo', 1), 1);
  });

  it('end with the process, those under way and those that come later', async () => {
    const own = start();
    const waiting = [own.call('exit', 3), own.call('echo', 1)];
    for (const call of waiting) {
      await assert.rejects(call, { code: 'CHIMERA_MODEL_CRASHED', message: /it ended with 3/ });
    }
    await assert.rejects(own.call('echo', 2), { code: 'CHIMERA_MODEL_CRASHED' });
  });

  it('end at once where the process is killed, even if it hears nothing any more', async () => {
    const own = start();
    await own.call('echo', 1);
    const hanging = own.call('hang', null);
    own.kill();
    await assert.rejects(hanging, { code: 'CHIMERA_MODEL_CRASHED', message: /SIGKILL/ });
    await untilGone(own.pid!);
    assert.ok(!isAlive(own.pid!));
  });

  it('say what comes on the way to an answer', async () => {
    const events: unknown[] = [];
    assert.equal(await start().call('count', 3, { onEvent: (event) => events.push(event) }), 3);
    assert.deepEqual(events, [1, 2, 3]);
  });

  it('go the other way, too, where the process asks whoever started it', async () => {
    const own = start();
    assert.equal(await own.call('square', 4), 17);
    await assert.rejects(own.call('square', -1), { code: 'CHIMERA_INVALID_INPUT' });
  });

  it('are given up at once where their signal says so, and the process hears of it', async () => {
    const own = start();
    const controller = new AbortController();
    const onEvent = (): void => controller.abort();
    await assert.rejects(own.call('wait', null, { signal: controller.signal, onEvent }), { code: 'CHIMERA_CANCELLED' });
    assert.equal(await own.call('givenUp', null), 1);
    // One that is late already is never sent.
    await assert.rejects(own.call('wait', null, { signal: controller.signal }), { code: 'CHIMERA_CANCELLED' });
    assert.equal(await own.call('givenUp', null), 1);
  });

  it('are over when the process is through with them, also those that were given up', async () => {
    const own = start();
    const over: string[] = [];
    const call = (name: string, signal?: AbortSignal) => ({ signal, onOver: () => void over.push(name) });
    await own.call('echo', 1, call('answered'));
    const controller = new AbortController();
    const onEvent = (): void => controller.abort();
    const given = own.call('wait', null, { ...call('given up', controller.signal), onEvent });
    await assert.rejects(given, { code: 'CHIMERA_CANCELLED' });
    assert.deepEqual(over, ['answered']);
    await own.call('echo', 2);
    assert.deepEqual(over, ['answered', 'given up']);
    await assert.rejects(own.call('echo', 1, call('late', controller.signal)));
    await assert.rejects(own.call('exit', 3, call('lost')));
    await assert.rejects(own.call('echo', 1, call('too late')));
    assert.deepEqual(over.slice(2), ['late', 'lost', 'too late']);
  });

  it('are cancelled where the process is closed, which is gone then', async () => {
    const own = start();
    const { promise: waits, resolve } = Promise.withResolvers<void>();
    const waiting = own.call('wait', null, { onEvent: () => resolve() });
    await waits;
    const rejected = assert.rejects(waiting, { code: 'CHIMERA_CANCELLED' });
    await own.close();
    assert.ok(!isAlive(own.pid!));
    await rejected;
  });

  it('go to a process that has none of our secrets in its environment', async () => {
    process.env['CHIMERA_TEST_SECRET'] = 'secret';
    try {
      const variables = await start().call('variables', null);
      assert.ok(variables.includes('GLIBC_TUNABLES'));
      const known = [
        ...['PATH', 'HOME', 'LD_LIBRARY_PATH', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE'],
        ...['CUDA_VISIBLE_DEVICES', 'NVIDIA_TF32_OVERRIDE', 'GLIBC_TUNABLES', 'VK_DRIVER_FILES', 'VK_ICD_FILENAMES'],
      ];
      assert.deepEqual(
        variables.filter((name) => !known.includes(name)),
        [],
      );
    } finally {
      delete process.env['CHIMERA_TEST_SECRET'];
    }
  });
});
