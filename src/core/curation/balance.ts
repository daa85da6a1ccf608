import { invalidInput } from '../../contracts/errors.ts';
import { stream } from '../random/random.ts';

/** How many examples each label has, by label in code-unit order, and the weight that evens them out. */
export interface BalanceReport {
  readonly labels: readonly { readonly label: string; readonly count: number; readonly weight: number }[];
  /** Most frequent count / least frequent; NaN without labels. */
  readonly ratio: number;
}

/** Weights are n / (labels · count): the same total for every label, mean 1 over the examples. Unlabelled ones do not count. */
export function balanceOf(examples: readonly { readonly label?: string | undefined }[]): BalanceReport {
  const counts = new Map<string, number>();
  for (const { label } of examples) if (label !== undefined) counts.set(label, (counts.get(label) ?? 0) + 1);
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  const sizes = sorted.map(([, count]) => count);
  return {
    labels: sorted.map(([label, count]) => ({ label, count, weight: total / (sorted.length * count) })),
    ratio: sizes.length === 0 ? NaN : Math.max(...sizes) / Math.min(...sizes),
  };
}

/**
 * Leaves out examples of frequent labels until none has more than `maxRatio` times the rarest. Who stays is drawn by (seed,
 * ordinal) alone; unlabelled ones stay. Throws CHIMERA_INVALID_INPUT for a ratio below 1.
 */
export function downSample<T extends { readonly ordinal: number; readonly label?: string | undefined }>(
  examples: readonly T[],
  maxRatio: number,
  seed: string,
): T[] {
  if (!(maxRatio >= 1)) throw invalidInput('the balance', [{ path: '/maxRatio', message: 'must be at least 1' }]);
  const { labels } = balanceOf(examples);
  const most = Math.floor(maxRatio * labels.reduce((least, { count }) => Math.min(least, count), Infinity));
  const left = new Set<number>();
  for (const { label, count } of labels) {
    if (count <= most) continue;
    examples
      .filter((example) => example.label === label)
      .map(({ ordinal }) => ({ ordinal, draw: drawOf(seed, ordinal) }))
      .sort((a, b) => a.draw - b.draw || a.ordinal - b.ordinal)
      .slice(most)
      .forEach(({ ordinal }) => left.add(ordinal));
  }
  return examples.filter(({ ordinal }) => !left.has(ordinal));
}

const drawOf = (seed: string, ordinal: number): number =>
  stream(seed, Math.floor(ordinal / 0x100000000), ordinal, 'down-sample').uniform();
