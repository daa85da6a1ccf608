import { fileURLToPath } from 'node:url';
import { ChimeraError } from '../../contracts/errors.ts';
import { CallProcess } from '../process/calls.ts';
import type { TrainedAdapter, TrainingCalls, TrainingJob } from './job.ts';
import type { Look, TrainingProgress } from './types.ts';

const ENTRY = fileURLToPath(new URL('./child.ts', import.meta.url));

export interface TrainingHooks {
  /** Where to go on: the last checkpoint of the same job. */
  readonly checkpoint?: Uint8Array;
  /** Steps between two checkpoints. */
  readonly checkpointEvery: number;
  readonly onCheckpoint: (progress: TrainingProgress, bytes: Uint8Array) => Promise<void>;
  readonly onStep: (progress: TrainingProgress) => void;
  /** Ends the process, and the run where it stands. */
  readonly signal: AbortSignal;
}

/**
 * Trains an adapter in a process of its own.
 * @throws `CHIMERA_MODEL_CRASHED` where the process dies, `CHIMERA_CANCELLED`, and what {@link TrainingCalls} throw
 */
export async function trainAdapter(job: TrainingJob, hooks: TrainingHooks): Promise<TrainedAdapter> {
  return (await trainUntil(job, hooks, Infinity)) as TrainedAdapter;
}

/**
 * Like {@link trainAdapter}, but leaves the run after so many steps, at a checkpoint from which it goes on later, or where it stops
 * early before that.
 * @returns how good the adapter is so far; the adapter itself where so many steps are all of the run's
 */
export async function trainUntil(
  job: TrainingJob,
  { signal, checkpoint, checkpointEvery, onStep, onCheckpoint }: TrainingHooks,
  until: number,
): Promise<TrainedAdapter | { left: Look }> {
  const cancelled = (): ChimeraError => new ChimeraError('CHIMERA_CANCELLED', { what: `training ${job.spec.name}` });
  if (signal.aborted) throw cancelled();
  const child = new CallProcess<TrainingCalls>(ENTRY, {});
  const kill = (): void => child.kill();
  signal.addEventListener('abort', kill);
  try {
    let progress = await child.call('open', { job, ...(checkpoint === undefined ? {} : { checkpoint }) });
    while (!progress.done && progress.step < until) {
      progress = await child.call('step', null);
      onStep(progress);
      if (!progress.done && (progress.step % checkpointEvery === 0 || progress.step >= until)) {
        await onCheckpoint(progress, await child.call('checkpoint', null));
      }
    }
    // A run that stops early is left, too: who asks compares it with others, and may never ask for its end.
    if (until < job.spec.steps) return { left: { step: progress.step, ...(await child.call('evaluate', null)) } };
    return await child.call('finish', null);
  } catch (error) {
    if (signal.aborted) throw cancelled();
    throw error;
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
  }
}
