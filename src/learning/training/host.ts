import { fileURLToPath } from 'node:url';
import { ChimeraError } from '../../contracts/errors.ts';
import { CallProcess } from '../process/calls.ts';
import type { TrainedAdapter, TrainingCalls, TrainingJob } from './job.ts';
import type { TrainingProgress } from './trainer.ts';

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
  /** Leave the run here, at a checkpoint: it goes on later, elsewhere. */
  readonly pauseAt?: (progress: TrainingProgress) => boolean;
}

/**
 * Trains an adapter in a process of its own.
 * @returns the adapter; undefined where it was left at a checkpoint
 * @throws `CHIMERA_MODEL_CRASHED` where the process dies, `CHIMERA_CANCELLED`, and what {@link TrainingCalls} throw
 */
export async function trainAdapter(job: TrainingJob, hooks: TrainingHooks): Promise<TrainedAdapter | undefined> {
  const { signal, checkpoint, checkpointEvery, onStep, onCheckpoint, pauseAt } = hooks;
  signal.throwIfAborted();
  const child = new CallProcess<TrainingCalls>(ENTRY);
  const kill = (): void => child.kill();
  signal.addEventListener('abort', kill);
  try {
    let progress = await child.call('open', { job, ...(checkpoint === undefined ? {} : { checkpoint }) });
    while (!progress.done) {
      progress = await child.call('step', null);
      onStep(progress);
      const pause = pauseAt?.(progress) === true;
      if (!progress.done && (pause || progress.step % checkpointEvery === 0)) {
        await onCheckpoint(progress, await child.call('checkpoint', null));
      }
      if (!progress.done && pause) return undefined;
    }
    return await child.call('finish', null);
  } catch (error) {
    if (signal.aborted) throw new ChimeraError('CHIMERA_CANCELLED', { what: `training ${job.spec.name}` });
    throw error;
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
  }
}
