import { drawnAdapter, type Setting } from '../../../bench/learning/ours.ts';
import { adapterSpec, type AdapterSpec } from '../../../src/contracts/adapters.ts';
import { stream } from '../../../src/core/random/random.ts';
import type { Adapter } from '../../../src/learning/adapters/types.ts';
import { baseInMemory } from '../../../src/learning/architecture/base.ts';
import type { ModelConfig } from '../../../src/learning/architecture/config.ts';
import type { TokenExample, TokenRow } from '../../../src/learning/training/examples.ts';
import { TINY_DECODER, TINY_ENCODER, tinyWeights } from '../tiny.ts';

/* Trainings of tiny models that PyTorch has done once (make.ts) and the test does again. */

export interface ParityCase extends Setting {
  readonly config: ModelConfig;
  readonly initial: Adapter;
}

const TOKENS = 290;

function example(task: AdapterSpec['task'], index: number): TokenExample {
  const draws = stream('parity', index, 0, 'tiny tokens');
  const tokens = (count: number): number[] => Array.from({ length: count }, () => 1 + draws.integer(TOKENS));
  const given = tokens(3 + draws.integer(3));
  const row = (): TokenRow => ({ tokens: [...given, ...tokens(2 + draws.integer(7))], given: given.length });
  if (task === 'classification') return { rows: [row()], label: index % 3 };
  return { rows: task === 'causal' ? [row()] : [row(), row()] };
}

function parityCase(config: ModelConfig, task: AdapterSpec['task'], rest: Partial<AdapterSpec>): ParityCase {
  const base = baseInMemory('tiny', tinyWeights(config), config, 'fp32');
  const spec = adapterSpec.parse({
    ...{
      kind: 'adapter',
      name: 'tiny',
      base: 'tiny',
      task,
      rank: 4,
      alpha: 8,
      learningRate: 0.01,
      steps: 20,
      batch: 4,
    },
    ...{ maxTokens: 16, weightDecay: 0.1, warmup: 0.2, clip: 1, seed: 'parity' },
    ...rest,
  });
  const train = Array.from({ length: 12 }, (_, index) => example(task, index));
  const labels = task === 'classification' ? ['a', 'b', 'c'] : [];
  const setting = { base, spec, data: { labels, train, validation: train.slice(0, 1) } };
  return { ...setting, config, initial: drawnAdapter(setting) };
}

export const PARITY_CASES: Readonly<Record<string, () => ParityCase>> = {
  classification: () =>
    parityCase(TINY_ENCODER, 'classification', { targets: ['query', 'value', 'output.dense'], schedule: 'cosine' }),
  causal: () => parityCase(TINY_DECODER, 'causal', { targets: ['q_proj', 'v_proj', 'down_proj'] }),
  preference: () =>
    parityCase(TINY_DECODER, 'preference', {
      targets: ['q_proj', 'k_proj', 'o_proj', 'up_proj'],
      rankStabilised: true,
    }),
};

/** What PyTorch computed, as `pytorch.json` keeps it. */
export interface Recorded {
  /** Of every step. */
  readonly losses: readonly number[];
  /** Of the first batch's loss: the gradient's length, and each {@link EVERY}th entry of it. */
  readonly length: number;
  readonly entries: readonly number[];
  /** Of the trained adapter for the first batch; of a decoder each {@link EVERY}th. */
  readonly outputs: readonly number[];
}

export const EVERY = 37;
export const thinned = (values: ArrayLike<number>): number[] =>
  Array.from({ length: Math.ceil(values.length / EVERY) }, (_, at) => values[at * EVERY]!);
