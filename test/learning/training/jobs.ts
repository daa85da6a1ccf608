import { stream } from '../../../src/core/random/random.ts';
import type { AdapterSpec } from '../../../src/contracts/adapters.ts';
import type { BaseLocation } from '../../../src/learning/bases.ts';
import type { TrainingJob } from '../../../src/learning/training/job.ts';
import { LABELS, specOf } from './samples.ts';

const WORDS = ['the', 'mail', 'hello', 'world', 'notes', 'of', 'monday', 'and', 'agenda', 'plan'];

/** Texts that are spam where they say so. */
export function textsOf(count: number, seed: string): { text: string; label: string }[] {
  return Array.from({ length: count }, (_, index) => {
    const draws = stream(seed, index, 0, 'tests/texts');
    const words = Array.from({ length: 1 + draws.integer(3) }, () => draws.pick(WORDS));
    return index % 2 === 0
      ? { text: words.join(' '), label: 'ham' }
      : { text: `spam ${words.join(' ')}`, label: 'spam' };
  });
}

/** A classification on a base in files. */
export function triageJob(base: BaseLocation, more: Partial<AdapterSpec> = {}): TrainingJob {
  const spec = specOf('classification', { base: base.name, ...more });
  return { base, spec, labels: LABELS, train: textsOf(24, 'train'), validation: textsOf(8, 'validation') };
}

/** Everything that could go wrong where a run is resumed: dropout, accumulation, a schedule, looks, the best one kept. */
export const DEMANDING: Partial<AdapterSpec> = {
  ...{ dropout: 0.2, accumulation: 2, schedule: 'cosine', warmup: 0.2, evaluateEvery: 3, patience: 50 },
};
