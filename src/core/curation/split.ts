import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import { hashOf } from '../canonical/canonical.ts';
import type { Sha256 } from '../canonical/canonical.ts';
import { stream } from '../random/random.ts';
import { similarityGroups } from './dedupe.ts';
import type { Fingerprinted } from './examples.ts';
import { candidateProbability, createLshIndex, signer } from './minhash.ts';
import type { LshPlan } from './minhash.ts';

export const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];
export type Splits<T> = Readonly<Record<Split, readonly T[]>>;

/**
 * How to split. `ordinal`: by time, the earliest examples train, the latest test. `hash`: by a seeded draw for each
 * look-alike group. Shares add to 1.
 */
export interface SplitSettings {
  readonly by: 'ordinal' | 'hash';
  readonly seed: string;
  readonly shares: Readonly<Record<Split, number>>;
  /**
   * By hash: other shares for groups that begin at this ordinal or later, usually more to judge by where the stream has
   * changed. Training's share and training's with validation's must not be larger than in `shares`, so that an example
   * that was trained on while it was recent is never judged on when it is old.
   */
  readonly recent?: { readonly fromOrdinal: number; readonly shares: Readonly<Record<Split, number>> } | undefined;
  /** Examples at least this alike (Jaccard) belong to one group. Default 0.6. */
  readonly groupThreshold?: number | undefined;
}

export interface SplitResult {
  readonly splits: Splits<Fingerprinted>;
  /** Ordinals left out because they resemble something in an earlier split (only when split by ordinal). */
  readonly crossing: readonly number[];
  /** Groups of two or more look-alikes. */
  readonly groups: number;
}

/**
 * Splits examples so that no group of look-alikes is on both sides. By hash a whole group goes one way. By ordinal the order of time
 * must hold as well, so a group's members beyond the split of its first are left out. Throws CHIMERA_INVALID_INPUT
 * for shares that do not add to 1.
 */
export function splitExamples(examples: readonly Fingerprinted[], settings: SplitSettings): SplitResult {
  checkShares(settings);
  const ordered = [...examples].sort((a, b) => a.example.ordinal - b.example.ordinal);
  const groups = similarityGroups(ordered, settings.groupThreshold ?? 0.6);
  const place = settings.by === 'hash' ? byHash(ordered, groups, settings) : byTime(ordered.length, settings);
  const splits: Record<Split, Fingerprinted[]> = { train: [], validation: [], test: [] };
  const crossing: number[] = [];
  const members = new Map<number, number>();
  ordered.forEach((one, i) => {
    // A group's number is the index of its first member, so that member's split is the group's.
    const group = groups[i]!;
    members.set(group, (members.get(group) ?? 0) + 1);
    if (place(i) === place(group)) splits[place(i)].push(one);
    else crossing.push(one.example.ordinal);
  });
  return { splits, crossing, groups: [...members.values()].filter((size) => size > 1).length };
}

function checkShares({ shares, recent }: SplitSettings): void {
  const problems = shareProblems('/shares', shares);
  if (recent !== undefined) {
    problems.push(...shareProblems('/recent/shares', recent.shares));
    const later = recent.shares;
    if (later.train > shares.train || later.train + later.validation > shares.train + shares.validation)
      problems.push({
        path: '/recent/shares',
        message: 'must not train or validate on more than the older examples do',
      });
  }
  if (problems.length > 0) throw invalidInput('the split', problems);
}

function shareProblems(path: string, shares: Readonly<Record<Split, number>>): Problem[] {
  const problems: Problem[] = [];
  for (const split of SPLITS)
    if (!(shares[split] >= 0)) problems.push({ path: `${path}/${split}`, message: 'must be at least 0' });
  const sum = shares.train + shares.validation + shares.test;
  if (Math.abs(sum - 1) > 1e-9) problems.push({ path, message: `must add to 1, not to ${sum}` });
  return problems;
}

const splitAt = (position: number, shares: Readonly<Record<Split, number>>): Split =>
  position < shares.train ? 'train' : position < shares.train + shares.validation ? 'validation' : 'test';

function byTime(count: number, { shares }: SplitSettings): (i: number) => Split {
  return (i) => splitAt((i + 0.5) / count, shares);
}

function byHash(
  ordered: readonly Fingerprinted[],
  groups: readonly number[],
  { seed, shares, recent }: SplitSettings,
): (i: number) => Split {
  const draws = new Map<number, Split>();
  for (const group of groups) {
    if (draws.has(group)) continue;
    // Drawn from the content, not the ordinal: the same example has the same draw in every dataset of this seed.
    const { contentHash, example } = ordered[group]!;
    const own = recent !== undefined && example.ordinal >= recent.fromOrdinal ? recent.shares : shares;
    draws.set(group, splitAt(stream(seed, 0, 0, `split/${contentHash}`).uniform(), own));
  }
  return (i) => draws.get(groups[i]!)!;
}

/** Evidence that nothing in one split is, or nearly is, in another. */
export interface LeakageProof {
  readonly holds: boolean;
  /** Inputs that are in two splits. */
  readonly shared: readonly { readonly ordinals: readonly [number, number]; readonly contentHash: Sha256 }[];
  /** Pairs across splits at least `threshold` alike, and the most alike pair that was looked at. */
  readonly near: readonly { readonly ordinals: readonly [number, number]; readonly similarity: number }[];
  readonly threshold: number;
  readonly highestSimilarity: number;
  /** Candidate pairs whose exact similarity was computed. */
  readonly judged: number;
  /** The probability that a pair of exactly `threshold` would have been looked at. */
  readonly detection: number;
  /** Does every training ordinal precede every validation ordinal, and those the test ordinals? */
  readonly timeOrdered: boolean;
  /** The hash of each split's sorted content hashes: what the proof is about. */
  readonly contents: Readonly<Record<Split, Sha256>>;
}

/** Other hash functions and looser bands than deduplication used: it misses other pairs than they did. */
const PROOF_LSH: LshPlan = { bands: 20, rows: 4, seed: 'leakage-proof' };

/** Looks for exact and near-duplicates across splits anew, from the examples alone. */
export function proveNoLeakage(splits: Splits<Fingerprinted>, threshold = 0.8): LeakageProof {
  const all = SPLITS.flatMap((split) => splits[split].map((one) => ({ ...one, split })));
  const sign = signer(PROOF_LSH);
  const index = createLshIndex(PROOF_LSH.bands);
  const seen = new Map<Sha256, (typeof all)[number]>();
  const shared: LeakageProof['shared'][number][] = [];
  const near: LeakageProof['near'][number][] = [];
  let highestSimilarity = 0;
  all.forEach((one, i) => {
    const same = seen.get(one.contentHash);
    if (same === undefined) seen.set(one.contentHash, one);
    else if (same.split !== one.split)
      shared.push({ ordinals: [same.example.ordinal, one.example.ordinal], contentHash: one.contentHash });
    const signature = sign(one.shingles);
    for (const { id, similarity } of index.find(one.shingles, signature, 0)) {
      const other = all[id]!;
      if (other.split === one.split) continue;
      highestSimilarity = Math.max(highestSimilarity, similarity);
      if (similarity >= threshold) near.push({ ordinals: [other.example.ordinal, one.example.ordinal], similarity });
    }
    index.add(i, one.shingles, signature);
  });
  return {
    holds: shared.length === 0 && near.length === 0,
    shared,
    near,
    threshold,
    highestSimilarity,
    judged: index.judged,
    detection: candidateProbability(PROOF_LSH, threshold),
    timeOrdered: isTimeOrdered(splits),
    contents: {
      train: contentsOf(splits.train),
      validation: contentsOf(splits.validation),
      test: contentsOf(splits.test),
    },
  };
}

/**
 * Takes out what the proof finds, until it finds nothing: grouping looks pairs up by chance (see the curve in minhash.ts), so
 * one in some ten thousand near-duplicates may have been overlooked. The member in the later split goes.
 */
export function withoutLeakage(
  splits: Splits<Fingerprinted>,
  threshold = 0.8,
): { splits: Splits<Fingerprinted>; proof: LeakageProof; removed: readonly number[] } {
  let current = splits;
  const removed: number[] = [];
  for (;;) {
    const proof = proveNoLeakage(current, threshold);
    if (proof.holds) return { splits: current, proof, removed };
    const leaking = new Set([...proof.shared, ...proof.near].map(({ ordinals }) => ordinals[1]));
    removed.push(...leaking);
    const stays = (one: Fingerprinted): boolean => !leaking.has(one.example.ordinal);
    current = {
      train: current.train.filter(stays),
      validation: current.validation.filter(stays),
      test: current.test.filter(stays),
    };
  }
}

const contentsOf = (examples: readonly Fingerprinted[]): Sha256 =>
  hashOf(examples.map((one) => one.contentHash).sort());

function isTimeOrdered(splits: Splits<Fingerprinted>): boolean {
  let last = -1;
  for (const split of SPLITS) {
    let top = last;
    for (const { example } of splits[split]) {
      if (example.ordinal <= last) return false;
      top = Math.max(top, example.ordinal);
    }
    last = top;
  }
  return true;
}
