import type { Fingerprinted } from './examples.ts';
import { createLshIndex } from './minhash.ts';

/** An example that was left out because an earlier one says the same. */
export interface Duplicate {
  readonly ordinal: number;
  readonly duplicateOf: number;
  readonly kind: 'exact' | 'near';
  readonly similarity: number;
  /** Do the two disagree about the label? Then at least one of them is wrong. */
  readonly conflict: boolean;
}

export interface Deduplicated {
  /** By ascending ordinal. */
  readonly kept: readonly Fingerprinted[];
  readonly removed: readonly Duplicate[];
}

/**
 * Removes examples whose input equals an earlier kept one, or resembles one at least by `threshold` (Jaccard similarity of
 * word shingles). The first ordinal wins, whatever the order of the examples. Near-duplicates are found with the
 * probability of the curve in minhash.ts.
 */
export function deduplicate(examples: readonly Fingerprinted[], threshold = 0.8): Deduplicated {
  const ordered = [...examples].sort((a, b) => a.example.ordinal - b.example.ordinal);
  const byContent = new Map<string, number>();
  const index = createLshIndex();
  const kept: Fingerprinted[] = [];
  const removed: Duplicate[] = [];
  for (const one of ordered) {
    const same = byContent.get(one.contentHash);
    const match =
      same === undefined
        ? nearest(index.find(one.shingles, one.signature, threshold))
        : { id: same, similarity: 1, exact: true };
    if (match !== undefined) {
      const original = kept[match.id]!.example;
      removed.push({
        ordinal: one.example.ordinal,
        duplicateOf: original.ordinal,
        kind: 'exact' in match ? 'exact' : 'near',
        similarity: match.similarity,
        conflict: original.label !== one.example.label,
      });
      continue;
    }
    byContent.set(one.contentHash, kept.length);
    index.add(kept.length, one.shingles, one.signature);
    kept.push(one);
  }
  return { kept, removed };
}

/** The most similar neighbour; among equals the earliest. */
function nearest<T extends { readonly similarity: number }>(neighbours: readonly T[]): T | undefined {
  let best: T | undefined;
  for (const one of neighbours) if (best === undefined || one.similarity > best.similarity) best = one;
  return best;
}

/**
 * Groups of examples that resemble each other at least by `threshold`, directly or through others: the group number of each,
 * in order of first appearance. Used below the duplicates' threshold, so that look-alikes stay on one side of a split.
 */
export function similarityGroups(examples: readonly Fingerprinted[], threshold: number): number[] {
  const parent = examples.map((_, i) => i);
  const root = (i: number): number => {
    let at = i;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!;
      at = parent[at]!;
    }
    return at;
  };
  const index = createLshIndex();
  examples.forEach((one, i) => {
    for (const { id } of index.find(one.shingles, one.signature, threshold)) {
      const [a, b] = [root(id), root(i)];
      parent[Math.max(a, b)] = Math.min(a, b);
    }
    index.add(i, one.shingles, one.signature);
  });
  return examples.map((_, i) => root(i));
}
