import assert from 'node:assert/strict';
import { pastCrashes } from '../../src/activities/crashes.ts';
import { ChimeraError } from '../../src/contracts/errors.ts';

const died = (): ChimeraError => new ChimeraError('CHIMERA_MODEL_CRASHED', { why: 'killed by SIGKILL' });

describe('a training whose process dies', () => {
  /** Each attempt leaves a checkpoint at the step it is given here, and then dies; the last one ends. */
  const training = (steps: readonly number[]) => {
    let saved: { step: number } | undefined;
    const from: (number | undefined)[] = [];
    const train = (checkpoint: { step: number } | undefined): Promise<string> => {
      from.push(checkpoint?.step);
      const step = steps[from.length - 1];
      if (step === undefined) return Promise.resolve('trained');
      saved = step === 0 ? undefined : { step };
      return Promise.reject(died());
    };
    return { from, run: () => pastCrashes('words', () => Promise.resolve(saved), train) };
  };

  it('goes on from its last checkpoint, however often, while it gets further', async () => {
    const { from, run } = training([0, 0, 10, 10, 20, 30, 30]);
    assert.equal(await run(), 'trained');
    assert.deepEqual(from, [undefined, undefined, undefined, 10, 10, 20, 30, 30]);
  });

  it('ends after three deaths at one place, and says where and why', async () => {
    const { from, run } = training([10, 10, 10, 10]);
    await assert.rejects(run(), {
      code: 'CHIMERA_TRAINING_CRASHES',
      message: /training words brings its process down, 3 times since step 10: killed by SIGKILL/,
    });
    assert.deepEqual(from, [undefined, 10, 10]);
  });

  it('lets pass what is no death', async () => {
    const cancelled = new ChimeraError('CHIMERA_CANCELLED', { what: 'it' });
    await assert.rejects(
      pastCrashes(
        'words',
        () => Promise.resolve(undefined),
        () => Promise.reject(cancelled),
      ),
      cancelled,
    );
  });
});
