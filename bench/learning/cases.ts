import { stream } from '../../src/core/random/random.ts';
import { adapterSpec, type AdapterSpec } from '../../src/contracts/adapters.ts';
import type { Precision } from '../../src/learning/architecture/base.ts';
import type { TokenExample, TokenRow } from '../../src/learning/training/examples.ts';
import type { TrainingSet } from '../../src/learning/training/types.ts';
import type { BaseName } from './bases.ts';

/** A training of a real model that both sides do. */
export interface TrainingCase {
  readonly name: string;
  readonly base: BaseName;
  readonly precision: Precision;
  readonly task: AdapterSpec['task'];
}

export const ENCODER: TrainingCase = {
  name: 'MiniLM classification',
  base: 'all-MiniLM-L6-v2',
  precision: 'fp32',
  task: 'classification',
};
const DECODER = { base: 'SmolLM2-135M-Instruct', task: 'causal' } as const;
export const DECODER_FP32: TrainingCase = { name: 'SmolLM2 fp32', precision: 'fp32', ...DECODER };
export const DECODER_4BIT: TrainingCase = { name: 'SmolLM2 4-bit base', precision: '4bit', ...DECODER };

export const LABELS = ['ham', 'spam'];

/** LoRA of rank 8 on queries and values; what is not said is the default of every adapter. */
export function specOf(
  { base, precision, task }: TrainingCase,
  rest: Pick<AdapterSpec, 'batch' | 'steps' | 'maxTokens'> & Partial<AdapterSpec>,
): AdapterSpec {
  const targets = task === 'classification' ? ['query', 'value'] : ['q_proj', 'v_proj'];
  return adapterSpec.parse({
    ...{ kind: 'adapter', name: 'bench', base, precision, task, targets, rank: 8, alpha: 16, learningRate: 1e-3 },
    ...rest,
  });
}

/**
 * Seeded tokens: rows of different lengths, so that there is padding, half of each given. Labels and answers can be learned: each row
 * repeats a few tokens that are its own.
 */
export function seededData(task: AdapterSpec['task'], seed: string, count: number, longest: number): TrainingSet {
  const train = Array.from({ length: count }, (_, index) => seededExample(task, seed, index, longest));
  const labels = task === 'classification' ? LABELS : [];
  return { labels, train, validation: train.slice(0, 1) };
}

function seededExample(task: AdapterSpec['task'], seed: string, index: number, longest: number): TokenExample {
  const draws = stream(seed, index, 0, 'bench/tokens');
  const label = index % LABELS.length;
  const length = index % 4 === 0 ? longest : longest - draws.integer(Math.floor(longest / 2));
  const row = (): TokenRow => {
    const tokens = Array.from({ length }, () => 1000 + 500 * label + draws.integer(500));
    return { tokens, given: task === 'classification' ? length : Math.floor(length / 2) };
  };
  if (task === 'classification') return { rows: [row()], label };
  if (task === 'causal') return { rows: [row()] };
  const [chosen, rejected] = [row(), row()];
  const prompt = chosen.tokens.slice(0, chosen.given);
  return { rows: [chosen, { ...rejected, tokens: [...prompt, ...rejected.tokens.slice(chosen.given)] }] };
}

/** Rows that are full, and of which everything but the first token is predicted: what both sides do is the same work. */
export function fullData(task: AdapterSpec['task'], seed: string, count: number, length: number): TrainingSet {
  const { labels, train } = seededData(task, seed, count, length);
  const draws = stream(seed, 0, 0, 'bench/filling');
  const filled = train.map(({ rows, ...rest }) => ({
    ...rest,
    rows: rows.map(({ tokens }) => ({
      tokens: Array.from({ length }, (_, i) => tokens[i] ?? 1000 + draws.integer(1000)),
      given: task === 'classification' ? length : 1,
    })),
  }));
  return { labels, train: filled, validation: filled.slice(0, 1) };
}
