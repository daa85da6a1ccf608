/** The training process: one run, a step a call. */
import { constants, getPriority, setPriority } from 'node:os';
import { ChimeraError } from '../../contracts/errors.ts';
import { decodeAdapter, encodeAdapter } from '../adapters/file.ts';
import { openLocalBase } from '../bases.ts';
import { answerCalls } from '../process/calls.ts';
import { numericProfile } from '../runtime/numeric-profile.ts';
import { tokenize } from './examples.ts';
import type { TrainingCalls, TrainingJob } from './job.ts';
import { AdapterTrainer, lookOfResult } from './trainer.ts';

// Whoever asks a model waits for it, nobody waits for a step: where processors are few, answers go first. Still, training goes on where
// everything is busy, with about a tenth of a share.
setPriority(Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL));

interface Run {
  readonly job: TrainingJob;
  readonly trainer: AdapterTrainer;
  readonly baseSha256: string;
}

let run: Run | undefined;

function opened(): Run {
  if (run === undefined) throw new ChimeraError('CHIMERA_INTERNAL', { why: 'no training run is open' });
  return run;
}

const deviceOf = ({ provider, threads }: TrainingJob) => ({
  ...(provider === undefined ? {} : { provider }),
  ...(threads === undefined ? {} : { threads }),
});

answerCalls<TrainingCalls>({
  async open({ job, checkpoint }) {
    const { spec, labels } = job;
    const { base, tokenizer } = await openLocalBase(job.base, spec.precision);
    const options = {
      ...deviceOf(job),
      ...{ base, spec },
      data: {
        labels,
        train: tokenize(job.train, spec, tokenizer, labels),
        validation: tokenize(job.validation, spec, tokenizer, labels),
      },
      ...(job.from === undefined ? {} : { from: decodeAdapter(job.from) }),
    };
    const trainer =
      checkpoint === undefined ? AdapterTrainer.create(options) : AdapterTrainer.resume(options, checkpoint);
    run = { job, trainer, baseSha256: base.sha256 };
    return trainer.progress;
  },

  step: () => opened().trainer.step(),
  checkpoint: () => Promise.resolve(opened().trainer.checkpoint()),

  evaluate: () => opened().trainer.evaluate('adapter'),

  async finish() {
    const { job, trainer, baseSha256 } = opened();
    return {
      bytes: encodeAdapter(trainer.adapter()),
      // A head that was drawn and not trained says nothing of the base.
      ...(job.spec.task === 'classification' ? {} : { before: await trainer.evaluate('base') }),
      after: lookOfResult(trainer.progress.looks, job.spec),
      progress: trainer.progress,
      baseSha256,
      numericProfile: numericProfile(deviceOf(job)),
    };
  },
});
