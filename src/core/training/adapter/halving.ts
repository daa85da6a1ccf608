import type { AdapterSpec } from '../../../contracts/adapters.ts';

/** One setting that a sweep tries. */
export interface SweepCandidate {
  readonly name: string;
  readonly learningRate: number;
  readonly rank: number;
}

/** Every combination, in the order of learning rates and then ranks. */
export function sweepCandidates(
  { name }: Pick<AdapterSpec, 'name'>,
  learningRates: readonly number[],
  ranks: readonly number[],
): SweepCandidate[] {
  const pairs = learningRates.flatMap((learningRate) => ranks.map((rank) => ({ learningRate, rank })));
  return pairs.map((pair, index) => ({ name: `${name}-${index + 1}`, ...pair }));
}

/**
 * Up to which step each round of successive halving trains (Jamieson and Talwalkar, AISTATS 2016): each twice as far as the one
 * before, the last one to the end. With fewer steps than 2 to the number of halvings, rounds would be the same.
 */
export function roundSteps(steps: number, candidates: number): number[] {
  const rounds = Math.max(1, halvings(candidates) + 1);
  return Array.from({ length: rounds }, (_, i) => Math.ceil(steps / (1 << (rounds - 1 - i))));
}

/** How often a number is halved, rounded up, until it is one. */
function halvings(count: number): number {
  return count <= 1 ? 0 : 1 + halvings(Math.ceil(count / 2));
}

/** The better half by validation loss, the earlier one of equals, in their order; what has no loss, or none that is a number, is worst. */
export function betterHalf<T extends { readonly loss?: number }>(candidates: readonly T[]): T[] {
  const ranked = candidates
    .map(({ loss = Infinity }, place) => ({ place, loss: Number.isFinite(loss) ? loss : Infinity }))
    .sort((a, b) => (a.loss === b.loss ? a.place - b.place : a.loss < b.loss ? -1 : 1));
  const kept = new Set(ranked.slice(0, Math.ceil(candidates.length / 2)).map(({ place }) => place));
  return candidates.filter((_, place) => kept.has(place));
}
