import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import { stream } from '../random/random.ts';

/** Why a sample is worth learning from, most telling first. */
export const GOLDEN_REASONS = ['disagreement', 'rare-class', 'uncertain', 'demonstration'] as const;
export type GoldenReason = (typeof GOLDEN_REASONS)[number];

/** A scored execution with feedback. */
export interface GoldenCandidate {
  readonly ordinal: number;
  /** The right label or another stratum, where one is known. */
  readonly label?: string | undefined;
  /** Was the right output given (and not just a verdict)? Others cannot be learned from and are never selected. */
  readonly demonstration: boolean;
  /** Was the served answer wrong, or did two versions answer differently? */
  readonly disagreement: boolean;
  /** The agent's confidence in [0, 1], where it gives one. */
  readonly confidence?: number | undefined;
}

export interface GoldenSettings {
  readonly seed: string;
  /** Most samples selected. */
  readonly limit: number;
  /** Share of the limit kept for each reason; what a reason leaves unused goes to the rest. They add to at most 1. */
  readonly quotas?: Partial<Record<GoldenReason, number>> | undefined;
  /** A label is rare below this share of its equal part among the candidates (default 0.5: half of 1/labels). */
  readonly rareBelow?: number | undefined;
  /** Confidence below this is uncertain (default 0.6). */
  readonly uncertainBelow?: number | undefined;
}

export interface GoldenSelection {
  /** By ascending ordinal. */
  readonly selected: readonly { readonly ordinal: number; readonly reason: GoldenReason }[];
  readonly byReason: Readonly<Record<GoldenReason, number>>;
  /** Candidates by their first reason, before any limit. */
  readonly available: Readonly<Record<GoldenReason, number>>;
  /** Candidates without a demonstration. */
  readonly skipped: number;
}

const DEFAULT_QUOTAS = { disagreement: 0.3, 'rare-class': 0.2, uncertain: 0.1, demonstration: 0.4 } as const;

/**
 * Selects golden samples. Each candidate has the first reason that fits it. Every reason fills its quota, then the rest of the
 * limit is filled over all that remain; who is taken is drawn by (seed, ordinal) alone, so the order of the candidates does
 * not matter and raising the limit keeps earlier picks of a reason. Throws CHIMERA_INVALID_INPUT for bad settings or an
 * ordinal that is there twice.
 */
export function selectGolden(candidates: readonly GoldenCandidate[], settings: GoldenSettings): GoldenSelection {
  checkSettings(candidates, settings);
  const { seed, limit, quotas = DEFAULT_QUOTAS } = settings;
  const usable = candidates.filter((candidate) => candidate.demonstration);
  const rare = rareLabels(usable, settings.rareBelow ?? 0.5);
  const ranked = usable
    .map((candidate) => ({
      ordinal: candidate.ordinal,
      reason: reasonOf(candidate, rare, settings.uncertainBelow ?? 0.6),
      draw: stream(seed, Math.floor(candidate.ordinal / 0x100000000), candidate.ordinal, 'golden').uniform(),
    }))
    .sort((a, b) => a.draw - b.draw || a.ordinal - b.ordinal);
  const taken: typeof ranked = [];
  const rest: typeof ranked = [];
  for (const reason of GOLDEN_REASONS) {
    const own = ranked.filter((one) => one.reason === reason);
    const quota = Math.floor((quotas[reason] ?? 0) * limit);
    taken.push(...own.slice(0, quota));
    rest.push(...own.slice(quota));
  }
  rest.sort((a, b) => a.draw - b.draw || a.ordinal - b.ordinal);
  taken.push(...rest.slice(0, limit - taken.length));
  const selected = taken.map(({ ordinal, reason }) => ({ ordinal, reason })).sort((a, b) => a.ordinal - b.ordinal);
  return {
    selected,
    byReason: countReasons(selected),
    available: countReasons(ranked),
    skipped: candidates.length - usable.length,
  };
}

function checkSettings(candidates: readonly GoldenCandidate[], settings: GoldenSettings): void {
  const problems: Problem[] = [];
  if (!Number.isInteger(settings.limit) || settings.limit < 0)
    problems.push({ path: '/limit', message: 'must be an integer of at least 0' });
  const shares = Object.values(settings.quotas ?? DEFAULT_QUOTAS);
  if (shares.some((share) => !(share >= 0)) || shares.reduce((sum, share) => sum + share, 0) > 1 + 1e-9)
    problems.push({ path: '/quotas', message: 'must be at least 0 and add to at most 1' });
  if (new Set(candidates.map((candidate) => candidate.ordinal)).size !== candidates.length)
    problems.push({ path: '/candidates', message: 'must have an ordinal each' });
  if (problems.length > 0) throw invalidInput('the golden-sample settings', problems);
}

function rareLabels(candidates: readonly GoldenCandidate[], rareBelow: number): Set<string> {
  const counts = new Map<string, number>();
  let labelled = 0;
  for (const { label } of candidates) {
    if (label === undefined) continue;
    counts.set(label, (counts.get(label) ?? 0) + 1);
    labelled++;
  }
  const bound = (rareBelow * labelled) / counts.size;
  return new Set([...counts].filter(([, count]) => count < bound).map(([label]) => label));
}

function reasonOf(candidate: GoldenCandidate, rare: ReadonlySet<string>, uncertainBelow: number): GoldenReason {
  if (candidate.disagreement) return 'disagreement';
  if (candidate.label !== undefined && rare.has(candidate.label)) return 'rare-class';
  if (candidate.confidence !== undefined && candidate.confidence < uncertainBelow) return 'uncertain';
  return 'demonstration';
}

function countReasons(items: readonly { readonly reason: GoldenReason }[]): Record<GoldenReason, number> {
  const counts = { disagreement: 0, 'rare-class': 0, uncertain: 0, demonstration: 0 };
  for (const { reason } of items) counts[reason]++;
  return counts;
}
