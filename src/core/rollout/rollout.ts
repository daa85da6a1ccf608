import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import { exp, log } from '../stats/math.ts';
import { createBetting, updateBetting } from './betting.ts';
import type { Betting } from './betting.ts';

/**
 * The sequential decision of a rollout on paired runs: every task of the rollout is run by champion and challenger, and X is
 * the challenger's score minus the champion's (with right/wrong scores: +1 a task it fixes, −1 a task it breaks, else 0).
 *
 * - **quality** promotes: e-process against H0 "mean X ≤ minEffect". With minEffect 0 ties do not matter, and H0 is
 *   P(win | discordant) ≤ ½.
 * - **cost** promotes (only with `cost` settings): "as good, and cheaper". Both must be shown, each at `costAlpha`: an
 *   e-process against H0 "mean X ≤ −margin", and one against H0 "mean relative saving ≤ 0", where the relative saving of a
 *   task is (champion's cost − challenger's) / the larger of both; besides, the totals so far must be lower by `minSaving`.
 *   As both hypotheses must fall, no further correction is due (intersection-union test).
 * - **harm** rolls back at once: e-process against H0 "mean X ≥ 0" at `harmAlpha`.
 * - **cap** rolls back: "not shown better".
 *
 * A challenger that is neither better nor cheaper is promoted with probability at most `alpha` however often one looks: the
 * quality path spends alpha − costAlpha, the cost path costAlpha (without `cost`, quality spends it all).
 */
export interface RolloutSettings {
  /** Bound on the probability of a wrong promotion. Default 0.05. */
  readonly alpha?: number;
  /** Bound on the probability of rolling back, as harmful, a challenger that is not worse. Default 0.05. */
  readonly harmAlpha?: number;
  /** The gain in mean score (0.01 = one point) that the challenger must be shown to exceed. Default 0. */
  readonly minEffect?: number;
  /** Scored pairs after which an undecided challenger is rolled back. Default 1,000. */
  readonly cap?: number;
  /** Scored pairs in shadow before the canary begins, and so before any promotion. Default 50. */
  readonly shadowPairs?: number;
  readonly cost?: {
    /** The loss in mean score that counts as "as good", for example 0.01. */
    readonly margin: number;
    /** Least saving of the totals as a share of the champion's cost. Default 0.1. */
    readonly minSaving?: number;
    /** The part of alpha this path spends. Default alpha / 5. */
    readonly costAlpha?: number;
  };
}

/** One run: its score in [0, 1] (a failed execution scores 0) and its cost (fuel, model calls, money: one unit throughout). */
export interface RunResult {
  readonly score: number;
  readonly cost: number;
}

/** One task of the rollout. A side that is absent (unscorable, or feedback that never came) makes the pair uncounted. */
export interface RolloutPair {
  readonly ordinal: number;
  readonly champion?: RunResult;
  readonly challenger?: RunResult;
}

export type RolloutReason = 'shown-better' | 'as-good-and-cheaper' | 'harmful' | 'not-shown-better';

export type RolloutDecision =
  | { readonly kind: 'continue' }
  | { readonly kind: 'promote' | 'rollback'; readonly reason: RolloutReason; readonly atOrdinal: number };

/** Plain JSON. */
export interface RolloutState {
  readonly settings: RolloutPlan;
  readonly lastOrdinal: number;
  readonly pairs: number;
  readonly unscorable: number;
  /** Pairs the challenger won, lost, and the sum of X. */
  readonly wins: number;
  readonly losses: number;
  readonly gain: number;
  readonly championCost: number;
  readonly challengerCost: number;
  readonly better: Betting;
  readonly worse: Betting;
  readonly asGood: Betting | null;
  readonly cheaper: Betting | null;
  readonly decision: RolloutDecision;
}

/** The settings with every default filled in. */
export interface RolloutPlan {
  readonly qualityAlpha: number;
  readonly harmAlpha: number;
  readonly minEffect: number;
  readonly cap: number;
  readonly shadowPairs: number;
  readonly cost: { readonly margin: number; readonly minSaving: number; readonly costAlpha: number } | null;
}

/** A fresh rollout. Throws CHIMERA_INVALID_INPUT with every problem of the settings. */
export function createRollout(settings: RolloutSettings = {}): RolloutState {
  const { alpha = 0.05, harmAlpha = 0.05, minEffect = 0, cap = 1000, shadowPairs = 50 } = settings;
  const cost =
    settings.cost === undefined ? null : { minSaving: 0.1, costAlpha: alpha / 5, ...definedOnly(settings.cost) };
  const problems: Problem[] = [];
  const within = (path: string, value: number, low: number, high: number): void => {
    if (!(value > low && value < high))
      problems.push({ path, message: `is ${value}, must lie between ${low} and ${high}` });
  };
  within('/alpha', alpha, 0, 1);
  within('/harmAlpha', harmAlpha, 0, 1);
  if (!(minEffect >= 0 && minEffect < 1)) problems.push({ path: '/minEffect', message: 'must lie in [0, 1)' });
  if (!Number.isInteger(cap) || cap < 1) problems.push({ path: '/cap', message: 'must be a positive integer' });
  if (!Number.isInteger(shadowPairs) || shadowPairs < 0 || shadowPairs > cap)
    problems.push({ path: '/shadowPairs', message: 'must be an integer from 0 to the cap' });
  if (cost !== null) {
    within('/cost/margin', cost.margin, 0, 1);
    within('/cost/costAlpha', cost.costAlpha, 0, alpha);
    if (!(cost.minSaving >= 0 && cost.minSaving < 1))
      problems.push({ path: '/cost/minSaving', message: 'must lie in [0, 1)' });
  }
  if (problems.length > 0) throw invalidInput('the rollout settings', problems);
  const qualityAlpha = cost === null ? alpha : alpha - cost.costAlpha;
  return {
    settings: { qualityAlpha, harmAlpha, minEffect, cap, shadowPairs, cost },
    lastOrdinal: -1,
    pairs: 0,
    unscorable: 0,
    wins: 0,
    losses: 0,
    gain: 0,
    championCost: 0,
    challengerCost: 0,
    better: createBetting(minEffect),
    worse: createBetting(0),
    asGood: cost === null ? null : createBetting(-cost.margin),
    cheaper: cost === null ? null : createBetting(0),
    decision: { kind: 'continue' },
  };
}

function definedOnly<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

/**
 * The state after one more pair, in strictly rising ordinal order (CHIMERA_INVALID_INPUT otherwise, or where a score leaves
 * [0, 1] or a cost is negative). Once decided, later pairs leave the state as it is.
 */
export function updateRollout(state: RolloutState, pair: RolloutPair): RolloutState {
  if (state.decision.kind !== 'continue') return state;
  checkPair(state, pair);
  const { champion, challenger, ordinal } = pair;
  if (champion === undefined || challenger === undefined)
    return { ...state, lastOrdinal: ordinal, unscorable: state.unscorable + 1 };
  const x = challenger.score - champion.score;
  const larger = Math.max(champion.cost, challenger.cost);
  const saving = larger === 0 ? 0 : (champion.cost - challenger.cost) / larger;
  const next: RolloutState = {
    ...state,
    lastOrdinal: ordinal,
    pairs: state.pairs + 1,
    wins: state.wins + (x > 0 ? 1 : 0),
    losses: state.losses + (x < 0 ? 1 : 0),
    gain: state.gain + x,
    championCost: state.championCost + champion.cost,
    challengerCost: state.challengerCost + challenger.cost,
    // A bet against "mean ≤ 0" neither wins nor loses on a tie: skipping it is the same number, sooner.
    better: x === 0 && state.better.bound === 0 ? state.better : updateBetting(state.better, x),
    worse: x === 0 ? state.worse : updateBetting(state.worse, -x),
    asGood: state.asGood && updateBetting(state.asGood, x),
    cheaper: state.cheaper && (saving === 0 ? state.cheaper : updateBetting(state.cheaper, saving)),
  };
  return { ...next, decision: decide(next) };
}

function checkPair(state: RolloutState, pair: RolloutPair): void {
  const problems: Problem[] = [];
  if (!(pair.ordinal > state.lastOrdinal))
    problems.push({ path: '/ordinal', message: `is ${pair.ordinal}, must be above ${state.lastOrdinal}` });
  for (const side of ['champion', 'challenger'] as const) {
    const run = pair[side];
    if (run === undefined) continue;
    if (!(run.score >= 0 && run.score <= 1)) problems.push({ path: `/${side}/score`, message: 'must lie in [0, 1]' });
    if (!(run.cost >= 0 && run.cost < Infinity))
      problems.push({ path: `/${side}/cost`, message: 'must be a finite number of at least 0' });
  }
  if (problems.length > 0) throw invalidInput('the rollout pair', problems);
}

const reached = (process: Betting | null, alpha: number): boolean =>
  process !== null && process.peakLogCapital >= -log(alpha);

function decide(state: RolloutState): RolloutDecision {
  const { settings, lastOrdinal: atOrdinal } = state;
  if (reached(state.worse, settings.harmAlpha)) return { kind: 'rollback', reason: 'harmful', atOrdinal };
  if (state.pairs >= settings.shadowPairs) {
    if (reached(state.better, settings.qualityAlpha)) return { kind: 'promote', reason: 'shown-better', atOrdinal };
    const { cost } = settings;
    if (
      cost !== null &&
      reached(state.asGood, cost.costAlpha) &&
      reached(state.cheaper, cost.costAlpha) &&
      state.challengerCost <= (1 - cost.minSaving) * state.championCost
    )
      return { kind: 'promote', reason: 'as-good-and-cheaper', atOrdinal };
  }
  if (state.pairs >= settings.cap) return { kind: 'rollback', reason: 'not-shown-better', atOrdinal };
  return { kind: 'continue' };
}

/** Where an undecided rollout stands: shadow until `shadowPairs` pairs are scored, then canary. */
export function rolloutStage(state: RolloutState): 'shadow' | 'canary' {
  return state.pairs < state.settings.shadowPairs ? 'shadow' : 'canary';
}

/** The decision in numbers and in words. E-values are the greatest so far; each is compared with 1/alpha of its path. */
export interface RolloutExplanation {
  readonly decision: RolloutDecision;
  readonly pairs: number;
  readonly unscorable: number;
  readonly wins: number;
  readonly losses: number;
  /** Mean of challenger − champion score; 0 before the first pair. */
  readonly effect: number;
  /** 1 − challenger's cost / champion's cost; 0 where the champion cost nothing. */
  readonly saving: number;
  readonly evidence: readonly {
    readonly path: 'better' | 'worse' | 'as-good' | 'cheaper';
    readonly eValue: number;
    readonly needed: number;
  }[];
  readonly text: string;
}

const REASONS: Record<RolloutReason, string> = {
  'shown-better': 'promoted: the challenger is shown better',
  'as-good-and-cheaper': 'promoted: the challenger is shown as good, at lower cost',
  harmful: 'rolled back: the challenger is shown worse',
  'not-shown-better': 'rolled back: not shown better',
};

function costText({ championCost, challengerCost }: RolloutState): string {
  if (championCost === challengerCost) return 'at the same cost';
  if (challengerCost < championCost) return `at ${(100 * (1 - challengerCost / championCost)).toFixed(0)} % less cost`;
  const more = challengerCost / championCost;
  return more < 10 ? `at ${(100 * (more - 1)).toFixed(0)} % more cost` : 'where the champion cost next to nothing';
}

/** Why the rollout stands where it stands. */
export function explainRollout(state: RolloutState): RolloutExplanation {
  const { settings, decision, pairs, wins, losses } = state;
  const effect = pairs === 0 ? 0 : state.gain / pairs;
  const saving = state.championCost === 0 ? 0 : 1 - state.challengerCost / state.championCost;
  const line = (path: 'better' | 'worse' | 'as-good' | 'cheaper', process: Betting | null, alpha: number) =>
    process === null ? [] : [{ path, eValue: Math.min(1e12, exp(process.peakLogCapital)), needed: 1 / alpha }];
  const costAlpha = settings.cost?.costAlpha ?? 1;
  const evidence = [
    ...line('better', state.better, settings.qualityAlpha),
    ...line('worse', state.worse, settings.harmAlpha),
    ...line('as-good', state.asGood, costAlpha),
    ...line('cheaper', state.cheaper, costAlpha),
  ];
  const head =
    decision.kind === 'continue'
      ? `undecided, in ${rolloutStage(state)}`
      : `${REASONS[decision.reason]} (at ordinal ${decision.atOrdinal})`;
  const points = `${effect < 0 ? '' : '+'}${(100 * effect).toFixed(1)} points`;
  const values = evidence.map((e) => `${e.path} ${e.eValue.toPrecision(3)} of ${e.needed.toPrecision(3)}`).join(', ');
  const text =
    `${head}. ${pairs} of at most ${settings.cap} paired tasks: the challenger fixed ${wins} and broke ${losses} ` +
    `(${points}), ${costText(state)}. Evidence: ${values}.`;
  return { decision, pairs, unscorable: state.unscorable, wins, losses, effect, saving, evidence, text };
}
