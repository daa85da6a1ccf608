import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { stream } from '../../../src/core/random/random.ts';
import { CallProcess } from '../../../src/learning/process/calls.ts';
import type { TrainingCalls, TrainingJob } from '../../../src/learning/training/job.ts';

/* A training run in processes that are killed, and what comes out of it. */

export const TRAINER = fileURLToPath(new URL('../../../src/learning/training/child.ts', import.meta.url));
/** A trainer whose dropout depends on what its process has done before. */
export const FORGETFUL_TRAINER = fileURLToPath(new URL('./forgetful-child.ts', import.meta.url));

export interface Outcome {
  readonly steps: number;
  /** SHA-256 of the adapter, and of the last checkpoint: parameters, both means of the optimizer, looks. */
  readonly adapter: string;
  readonly checkpoint: string;
  /** Processes that died on the way. */
  readonly deaths: number;
}

export interface Disturbance {
  /** Steps that are under way when their process is killed, each once. */
  readonly kills?: readonly number[];
  /** Steps between two checkpoints. */
  readonly checkpointEvery?: number;
  /** Two processes that take turns: the run moves to the other one at each checkpoint. */
  readonly turns?: boolean;
  readonly entry?: string;
  readonly onDeath?: (line: string) => void;
}

/** Takes a run to its end through all of its disturbances. */
export async function runDisturbed(job: TrainingJob, disturbance: Disturbance = {}): Promise<Outcome> {
  const { checkpointEvery = 4, turns = false, entry = TRAINER, onDeath } = disturbance;
  const left = new Set(disturbance.kills);
  const fresh = (): CallProcess<TrainingCalls> => new CallProcess<TrainingCalls>(entry, {});
  let processes = turns ? [fresh(), fresh()] : [fresh()];
  let checkpoint: Uint8Array | undefined;
  let deaths = 0;
  const open = () => processes[0]!.call('open', { job, ...(checkpoint === undefined ? {} : { checkpoint }) });
  try {
    let progress = await open();
    let took = 0;
    while (!progress.done) {
      const step = progress.step + 1;
      const [own] = processes;
      const begun = performance.now();
      const next = own!.call('step', null);
      if (left.delete(step)) {
        const died = next.then(
          () => undefined,
          (error: unknown) => error,
        );
        // Anywhere in the step, and sometimes right after it.
        await delay(stream(job.spec.seed, 0, step, 'tests/kill').uniform() * 1.2 * took);
        process.kill(own!.pid!, 'SIGKILL');
        const error = await died;
        if (error !== undefined && !isChimeraError(error, 'CHIMERA_MODEL_CRASHED')) throw error;
        deaths += 1;
        onDeath?.(`killed ${error === undefined ? 'after' : 'in'} step ${step}`);
        processes = [...processes.slice(1), fresh()];
        progress = await open();
        continue;
      }
      progress = await next;
      took = performance.now() - begun;
      if (progress.done || progress.step % checkpointEvery !== 0) continue;
      checkpoint = await own!.call('checkpoint', null);
      if (!turns) continue;
      processes.reverse();
      progress = await open();
    }
    const last = await processes[0]!.call('checkpoint', null);
    const { bytes } = await processes[0]!.call('finish', null);
    return { steps: progress.step, adapter: sha256(bytes), checkpoint: sha256(last), deaths };
  } finally {
    for (const one of processes) one.kill();
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What differs between a disturbed run and one that was not. */
export function differences(expected: Outcome, actual: Outcome, deaths: number): string[] {
  const named = (['steps', 'adapter', 'checkpoint'] as const)
    .filter((name) => expected[name] !== actual[name])
    .map((name) => `${name}: ${actual[name]} is not ${expected[name]}`);
  return actual.deaths === deaths ? named : [...named, `${actual.deaths} of ${deaths} kills took place`];
}
