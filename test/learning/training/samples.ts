import { adapterSpec, type AdapterSpec } from '../../../src/contracts/adapters.ts';
import { stream } from '../../../src/core/random/random.ts';
import { baseInMemory, type BaseModel } from '../../../src/learning/architecture/base.ts';
import type { TokenExample, TokenRow } from '../../../src/learning/training/examples.ts';
import type { AdapterTrainer } from '../../../src/learning/training/trainer.ts';
import type { TrainerOptions, TrainingProgress } from '../../../src/learning/training/types.ts';
import { TINY_DECODER, TINY_ENCODER, tinyWeights } from '../tiny.ts';

export const LABELS = ['ham', 'spam'];

/** A specification for the tiny base of a task. */
export function specOf(task: AdapterSpec['task'], more: Partial<AdapterSpec> = {}): AdapterSpec {
  const targets = task === 'classification' ? ['query', 'value'] : ['q_proj', 'v_proj', 'down_proj'];
  return adapterSpec.parse({
    ...{ kind: 'adapter', name: 'tiny', base: 'tiny', task, targets, learningRate: 0.01, warmup: 0 },
    ...{ rank: 4, alpha: 8, batch: 4, steps: 10, maxTokens: 16, seed: 'tests' },
    ...more,
  });
}

export function baseOf(task: AdapterSpec['task'], precision: AdapterSpec['precision'] = 'fp32'): BaseModel {
  const config = task === 'classification' ? TINY_ENCODER : TINY_DECODER;
  return baseInMemory('tiny', tinyWeights(config), config, precision);
}

/** Examples whose label or answer shows in their first tokens; what follows those says nothing. */
export function examplesOf(task: AdapterSpec['task'], count: number, seed = 'examples'): TokenExample[] {
  return Array.from({ length: count }, (_, index) => {
    const draws = stream(seed, index, 0, 'tests/examples');
    const label = index % 2;
    const noise = Array.from({ length: 1 + draws.integer(5) }, () => 100 + draws.integer(100));
    const prompt = [10 + label, 10 + label, ...noise];
    const answer = (token: number): TokenRow => ({ tokens: [...prompt, token, 2], given: prompt.length });
    if (task === 'classification') return { rows: [{ tokens: prompt, given: prompt.length }], label };
    if (task === 'causal') return { rows: [answer(20 + label)] };
    return { rows: [answer(20 + label), answer(21 - label)] };
  });
}

/** What a trainer of a task is given. */
export function optionsOf(task: AdapterSpec['task'], more: Partial<AdapterSpec> = {}): TrainerOptions {
  const spec = specOf(task, more);
  const labels = task === 'classification' ? LABELS : [];
  return {
    ...{ base: baseOf(task, spec.precision), spec },
    data: { labels, train: examplesOf(task, 40), validation: examplesOf(task, 6, 'validation') },
  };
}

/** Takes all steps; every progress. The trainer is released at the end. */
export async function runAll(trainer: AdapterTrainer): Promise<TrainingProgress[]> {
  const all: TrainingProgress[] = [];
  while (!trainer.progress.done) all.push({ ...(await trainer.step()) });
  await trainer.release();
  return all;
}
