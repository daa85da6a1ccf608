import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, it } from 'mocha';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { CallProcess } from '../../../src/learning/process/calls.ts';
import { isAlive, untilGone } from './alive.ts';
import type { TestCalls } from './answering.ts';

const ENTRY = fileURLToPath(new URL('./answering.ts', import.meta.url));

describe('calls into a process', () => {
  const started: CallProcess<TestCalls>[] = [];
  const start = (): CallProcess<TestCalls> => {
    const own = new CallProcess<TestCalls>(ENTRY);
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
    await assert.rejects(own.call('fail', null), { code: 'CHIMERA_MODEL_CRASHED', message: /TypeError: a bug/ });
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

  it('go to a process that has none of our secrets in its environment', async () => {
    process.env['CHIMERA_TEST_SECRET'] = 'secret';
    try {
      const variables = await start().call('variables', null);
      const known = [
        ...['PATH', 'HOME', 'LD_LIBRARY_PATH', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE'],
        ...['CUDA_VISIBLE_DEVICES', 'NVIDIA_TF32_OVERRIDE', 'VK_DRIVER_FILES', 'VK_ICD_FILENAMES'],
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
