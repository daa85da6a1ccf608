import { ChimeraError, isChimeraError } from '../contracts/errors.ts';

/** Deaths of its process without a checkpoint between them that end a run. */
const CRASHES = 3;

/**
 * Trains again where the process dies, each time from the last checkpoint; where it dies again and again without getting further,
 * which is what too little memory looks like, it will not help to try elsewhere.
 * @throws `CHIMERA_TRAINING_CRASHES` then
 */
export async function pastCrashes<C extends { readonly step: number }, R>(
  what: string,
  latest: () => Promise<C | undefined>,
  train: (from: C | undefined) => Promise<R>,
): Promise<R> {
  let from = await latest();
  let times = 0;
  for (;;) {
    try {
      return await train(from);
    } catch (error) {
      // What a process throws that no one foresaw, an allocation that fails say, is as bad as its death.
      if (!isChimeraError(error, 'CHIMERA_MODEL_CRASHED') && !isChimeraError(error, 'CHIMERA_INTERNAL')) throw error;
      const reached = await latest();
      times = reached?.step === from?.step ? times + 1 : 1;
      if (times === CRASHES) {
        const details = { what, times, step: from?.step ?? 0, why: String(error.details['why']) };
        throw new ChimeraError('CHIMERA_TRAINING_CRASHES', details, { cause: error });
      }
      from = reached;
    }
  }
}
