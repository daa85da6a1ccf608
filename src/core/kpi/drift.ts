import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import { sha256Hex } from '../canonical/canonical.ts';
import { philox4x32 } from '../random/random.ts';
import { exp, log } from '../stats/math.ts';
import { BETS, createMartingale, updateMartingale } from './martingale.ts';
import type { Martingale } from './martingale.ts';

/**
 * Drift of a stream of tasks, by conformal test martingales (Vovk, Petej, Nouretdinov, Ahlberg, Carlsson, Gammerman:
 * "Retrain or not retrain: conformal test martingales for change-point detection", COPA 2021). Each channel (an input
 * feature, the served label or score, the error indicator where feedback exists) ranks a new value among all earlier ones.
 * While the stream is exchangeable these ranks, with ties broken at random, are independent and uniform; a martingale
 * bets against that. It needs no labels, no training set, no assumption on the distributions, and is valid at any time.
 *
 * - Ranks are taken in bins whose edges are quantiles of the first `calibration` values. Those values fix the edges and
 *   are not counted, so the later ones stay exchangeable given the edges and ranks in bins are exactly uniform; memory is
 *   bounded by `bins` a channel and an update costs O(bins), however long the stream.
 * - The channels' martingales live in different filtrations, so their mean is not a martingale. The alarm therefore spends
 *   alpha over the channels: it sounds when one channel's capital reaches (number of channels) / alpha. By Ville's
 *   inequality and the union bound P(any alarm, ever | no drift) ≤ alpha.
 * - A value that is absent (feedback that never came) skips its channel. Absence must not depend on the value.
 *
 * The alarm is latched. After it has been acted on, and whenever the served agent changes, begin with a new state.
 */
export interface DriftSettings {
  readonly seed: string;
  readonly channels: readonly DriftChannel[];
  /** Bound on the probability of any false alarm, for ever. Default 0.05. */
  readonly alpha?: number;
  /** Values a channel uses to fix its bins before it bets. Default 200. */
  readonly calibration?: number;
  /** Bins a numeric channel ranks in. Default 64. */
  readonly bins?: number;
}

/** A numeric channel, or a label: two labels are one channel, more are one indicator a label. */
export type DriftChannel =
  | { readonly name: string; readonly kind: 'numeric' }
  | { readonly name: string; readonly kind: 'label'; readonly labels: readonly string[] };

/** What one task showed. Values are finite numbers or labels by channel name; unknown labels count as absent. */
export interface DriftObservation {
  readonly ordinal: number;
  readonly values: Readonly<Record<string, number | string | boolean | undefined>>;
}

/** One ranked sequence. Plain JSON. */
export interface DriftSeries {
  /** The channel's name, or `name=label` for an indicator. */
  readonly name: string;
  readonly channel: string;
  /** For a label channel: the label whose indicator this is. */
  readonly label?: string;
  /** Values kept until the edges are fixed; empty afterwards. */
  readonly calibration: readonly number[];
  readonly edges: readonly number[] | null;
  /** How many values fell in each bin since. */
  readonly counts: readonly number[];
  readonly total: number;
  readonly martingale: Martingale;
  /** Exponential mean (over about 64 values) of the ranks in [0, 1]; ½ while nothing drifts. */
  readonly recentRank: number;
}

export interface DriftState {
  readonly key: readonly [number, number];
  readonly alpha: number;
  readonly calibrationSize: number;
  readonly bins: number;
  readonly series: readonly DriftSeries[];
  readonly observations: number;
  readonly lastOrdinal: number;
  /** The ordinal at which the alarm sounded. */
  readonly alarm: number | null;
}

export interface DriftVerdict {
  readonly drift: boolean;
  /** The ordinal at which the alarm sounded. */
  readonly atOrdinal: number | null;
  /** An anytime-valid p-value: min(1, channels / greatest capital so far). */
  readonly pValue: number;
  readonly observations: number;
}

const RECENT = 1 / 64;
const LN10 = 2.302585092994046;

/** A fresh state. Throws CHIMERA_INVALID_INPUT with every problem of the settings. */
export function createDrift(settings: DriftSettings): DriftState {
  const { alpha = 0.05, calibration = 200, bins = 64 } = settings;
  const problems: Problem[] = [];
  if (!(alpha > 0 && alpha < 1)) problems.push({ path: '/alpha', message: 'must lie between 0 and 1' });
  if (!Number.isInteger(calibration) || calibration < 2)
    problems.push({ path: '/calibration', message: 'must be an integer of at least 2' });
  if (!Number.isInteger(bins) || bins < 2)
    problems.push({ path: '/bins', message: 'must be an integer of at least 2' });
  if (settings.channels.length === 0) problems.push({ path: '/channels', message: 'must name at least one channel' });
  const names = new Set<string>();
  settings.channels.forEach((channel, i) => {
    if (names.has(channel.name))
      problems.push({ path: `/channels/${i}/name`, message: `"${channel.name}" is there twice` });
    names.add(channel.name);
    if (channel.kind === 'label' && new Set(channel.labels).size < 2)
      problems.push({ path: `/channels/${i}/labels`, message: 'must hold at least two different labels' });
  });
  if (problems.length > 0) throw invalidInput('the drift settings', problems);
  const digest = sha256Hex(JSON.stringify([settings.seed, 'drift-ties']));
  return {
    key: [Number.parseInt(digest.slice(0, 8), 16), Number.parseInt(digest.slice(8, 16), 16)],
    alpha,
    calibrationSize: calibration,
    bins,
    series: settings.channels.flatMap(seriesOf),
    observations: 0,
    lastOrdinal: -1,
    alarm: null,
  };
}

function seriesOf(channel: DriftChannel): DriftSeries[] {
  const base = { channel: channel.name, calibration: [], total: 0, martingale: createMartingale(), recentRank: 0.5 };
  if (channel.kind === 'numeric') return [{ ...base, name: channel.name, edges: null, counts: [] }];
  const labels = channel.labels.length === 2 ? channel.labels.slice(1) : channel.labels;
  // An indicator's two values need no calibration: its one edge is known beforehand.
  return labels.map((label) => ({ ...base, name: `${channel.name}=${label}`, label, edges: [1], counts: [0, 0] }));
}

/**
 * The state after one more task. Observations come in strictly rising ordinal order (gaps are fine); CHIMERA_INVALID_INPUT
 * otherwise, because another order would give another verdict.
 */
export function updateDrift(state: DriftState, observation: DriftObservation): DriftState {
  if (!(observation.ordinal > state.lastOrdinal)) {
    const message = `is ${observation.ordinal}, must be above ${state.lastOrdinal}`;
    throw invalidInput('the drift observation', [{ path: '/ordinal', message }]);
  }
  const threshold = log(state.series.length / state.alpha);
  let crossed = false;
  const series = state.series.map((one, index) => {
    const value = valueOf(one, observation.values[one.channel]);
    if (value === undefined) return one;
    const next = advance(state, one, value, observation.ordinal, index);
    crossed ||= next.martingale.logCapital >= threshold;
    return next;
  });
  return {
    ...state,
    series,
    observations: state.observations + 1,
    lastOrdinal: observation.ordinal,
    alarm: state.alarm ?? (crossed ? observation.ordinal : null),
  };
}

function valueOf(series: DriftSeries, raw: number | string | boolean | undefined): number | undefined {
  if (raw === undefined) return undefined;
  if (series.label !== undefined) return String(raw) === series.label ? 1 : 0;
  const value = Number(raw);
  return Number.isFinite(value) ? value : undefined;
}

function advance(state: DriftState, series: DriftSeries, value: number, ordinal: number, index: number): DriftSeries {
  if (series.edges === null) {
    const calibration = [...series.calibration, value];
    if (calibration.length < state.calibrationSize) return { ...series, calibration };
    const edges = quantileEdges(calibration, state.bins);
    return { ...series, calibration: [], edges, counts: new Array<number>(edges.length + 1).fill(0) };
  }
  const bin = upperBound(series.edges, value);
  const counts = series.counts.slice();
  let below = 0;
  for (let i = 0; i < bin; i++) below += counts[i]!;
  counts[bin] = counts[bin]! + 1;
  const [word] = philox4x32([index, ordinal >>> 0, Math.floor(ordinal / 0x100000000) >>> 0, 0], state.key);
  const tie = (word + 0.5) / 0x100000000;
  const rank = (below + tie * counts[bin]) / (series.total + 1);
  return {
    ...series,
    counts,
    total: series.total + 1,
    martingale: updateMartingale(series.martingale, rank),
    recentRank: series.recentRank + RECENT * (rank - series.recentRank),
  };
}

/** At most bins − 1 different quantiles of the values, ascending. */
function quantileEdges(values: readonly number[], bins: number): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  const edges: number[] = [];
  for (let i = 1; i < bins; i++) {
    const edge = sorted[Math.floor((i * sorted.length) / bins)]!;
    if (edges.length === 0 || edge > edges[edges.length - 1]!) edges.push(edge);
  }
  // Without an edge above a repeated top value, everything larger would tie with it.
  const top = sorted[sorted.length - 1]!;
  if (top > edges[edges.length - 1]!) edges.push(top);
  return edges;
}

/** How many edges are ≤ value. */
function upperBound(edges: readonly number[], value: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (edges[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What the state says now. */
export function driftVerdict(state: DriftState): DriftVerdict {
  let best = -Infinity;
  for (const series of state.series) best = Math.max(best, series.martingale.peakLogCapital);
  return {
    drift: state.alarm !== null,
    atOrdinal: state.alarm,
    pValue: Math.min(1, state.series.length * exp(-best)),
    observations: state.observations,
  };
}

/** What one series contributes to a verdict. */
export interface DriftExplanation {
  readonly series: string;
  /** log10 of its capital now and at its peak: 2 means 100 to 1 against "no drift" on this series alone. */
  readonly evidence: number;
  readonly peakEvidence: number;
  /** The bet that holds the most capital, in words; null while most of it is idle. */
  readonly change: (typeof BETS)[number] | null;
  /** Mean rank of the latest values among all earlier ones; ½ without drift. */
  readonly recentRank: number;
  readonly text: string;
}

/** The series by falling peak evidence: which ones moved, which way, and how surely. */
export function explainDrift(state: DriftState): DriftExplanation[] {
  return state.series
    .map((series) => {
      const { logCapital, peakLogCapital, shares } = series.martingale;
      let bet = 0;
      for (let i = 1; i < shares.length; i++) if (shares[i]! > shares[bet]!) bet = i;
      const change = bet === 0 ? null : BETS[bet - 1]!;
      const percentile = Math.round(100 * series.recentRank);
      const odds = Math.round(Math.min(1e6, exp(peakLogCapital)));
      const text =
        change === null
          ? `${series.name} has not moved (recent values rank above ${percentile} % of history)`
          : `${series.name} is ${change} than before: recent values rank above ${percentile} % of history, at most ${odds} to 1 against chance`;
      return {
        series: series.name,
        evidence: logCapital / LN10,
        peakEvidence: peakLogCapital / LN10,
        change,
        recentRank: series.recentRank,
        text,
      };
    })
    .sort((a, b) => b.peakEvidence - a.peakEvidence || (a.series < b.series ? -1 : 1));
}
