import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { stream } from '../../../src/core/random/random.ts';
import type { TrainingJob } from '../../../src/learning/training/job.ts';
import { writeTinyBase } from '../tiny-files.ts';
import { DEMANDING, triageJob } from './jobs.ts';
import { differences, runDisturbed, FORGETFUL_TRAINER, type Outcome } from './resume-runs.ts';

describe('a training run that is killed', () => {
  const kills = stream('resume', 0, 0, 'tests/kills')
    .shuffle(Array.from({ length: 20 }, (_, i) => i + 1))
    .slice(0, 3);
  let job: TrainingJob;
  let remove: () => Promise<void>;
  let undisturbed: Outcome;

  before(async () => {
    const tiny = await writeTinyBase('encoder');
    ({ remove } = tiny);
    job = triageJob(tiny.base, { ...DEMANDING, steps: 20, learningRate: 0.003 });
    undisturbed = await runDisturbed(job);
  });
  after(() => remove());

  it('ends with the bytes of one that was never stopped', async () => {
    assert.equal(undisturbed.steps, 20);
    assert.deepEqual(differences(undisturbed, await runDisturbed(job, { kills }), 3), []);
  });

  it('does so where two processes take it in turn', async () => {
    assert.deepEqual(differences(undisturbed, await runDisturbed(job, { kills, turns: true }), 3), []);
  });

  it('would not with a draw that no checkpoint knows', async () => {
    const entry = FORGETFUL_TRAINER;
    const [adapter, checkpoint] = differences(
      await runDisturbed(job, { entry }),
      await runDisturbed(job, { entry, kills }),
      3,
    );
    assert.match(adapter!, /^adapter/);
    assert.match(checkpoint!, /^checkpoint/);
  });
});
