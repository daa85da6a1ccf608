import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import { cutTable, cutsFor, roundThreshold } from './cuts.ts';
import type { Cut } from './cuts.ts';
import type { Condition, Genome, LinearTerm, ModelUse } from './genome.ts';

/** What a search may build with: plain JSON, made once from training data, part of the search state. */
export interface SearchContext {
  readonly labels: readonly string[];
  readonly features: readonly FeatureSummary[];
  readonly ideas: readonly Idea[];
  readonly models: readonly ModelOffer[];
  /** The genome that is to be beaten: the champion, or the baseline of a first search. Always in the first generation. */
  readonly incumbent: Genome;
  /** Further genomes to start from. */
  readonly seeds: readonly Genome[];
}

export interface FeatureSummary {
  readonly name: string;
  /** Ascending thresholds at the quantiles of the training data; empty for a constant feature. */
  readonly cuts: readonly number[];
}

/** A condition that says something about a label on the training data. */
export interface Idea {
  readonly condition: Condition;
  readonly label: string;
  readonly coverage: number;
  readonly precision: number;
}

/** A model that genomes may ask. */
export interface ModelOffer extends Omit<ModelUse, 'second' | 'threshold'> {
  /** Ascending candidate thresholds; never empty. */
  readonly thresholds: readonly number[];
  /** The threshold that separates best on the data the offer was made from. */
  readonly start: number;
}

/** Features of the training split, a column each, and the right label of each task as an index into `labels`. */
export interface TrainingData {
  readonly names: readonly string[];
  readonly columns: readonly ArrayLike<number>[];
  readonly expected: ArrayLike<number>;
  readonly labels: readonly string[];
}

const CUTS_PER_KIND = 16;
const IDEAS_PER_KIND = 48;
/** A rule this precise can answer without a model. */
const PRECISE = 0.97;
const SUM_SIZES = [4, 8, 16];

function checkData({ names, columns, expected, labels }: TrainingData): void {
  const problems: Problem[] = [];
  if (names.length !== columns.length)
    problems.push({ path: '/names', message: `${names.length} names for ${columns.length} columns` });
  columns.forEach((column, index) => {
    if (column.length !== expected.length)
      problems.push({ path: `/columns/${index}`, message: `${column.length} values for ${expected.length} tasks` });
    if (Array.prototype.some.call(column, (value: number) => !Number.isFinite(value)))
      problems.push({ path: `/columns/${index}`, message: 'has values that are not finite' });
  });
  if (Array.prototype.some.call(expected, (label: number) => !(label >= 0 && label < labels.length)))
    problems.push({ path: '/expected', message: `has labels outside 0 to ${labels.length - 1}` });
  if (expected.length === 0) problems.push({ path: '/expected', message: 'is empty' });
  if (problems.length > 0) throw invalidInput('the training data', problems);
}

/** Mean and variance of a column over the tasks with `label` (or, with `others`, over all the rest). */
function moments(column: ArrayLike<number>, expected: ArrayLike<number>, label: number, others: boolean) {
  let count = 0;
  let sum = 0;
  for (let i = 0; i < column.length; i++)
    if ((expected[i] === label) !== others) {
      count++;
      sum += column[i]!;
    }
  const mean = count === 0 ? 0 : sum / count;
  let squares = 0;
  for (let i = 0; i < column.length; i++)
    if ((expected[i] === label) !== others) squares += (column[i]! - mean) * (column[i]! - mean);
  return { mean, variance: count === 0 ? 0 : squares / count };
}

/** Weighted sums that point from the other labels to `label`: a diagonal linear discriminant on its best features. */
function discriminants(data: TrainingData, label: number): LinearTerm[][] {
  const ranked = data.columns
    .map((column, feature) => {
      const own = moments(column, data.expected, label, false);
      const rest = moments(column, data.expected, label, true);
      const variance = (own.variance + rest.variance) / 2;
      if (variance === 0) return { feature, weight: 0, strength: 0 };
      const difference = own.mean - rest.mean;
      return {
        feature,
        weight: Number((difference / variance).toPrecision(3)),
        strength: Math.abs(difference) / Math.sqrt(variance),
      };
    })
    .filter((term) => term.weight !== 0)
    .sort((a, b) => b.strength - a.strength || a.feature - b.feature);
  const sizes = SUM_SIZES.map((size) => Math.min(size, ranked.length)).filter((size) => size > 1);
  return [...new Set(sizes)].map((size) => ranked.slice(0, size).map(({ feature, weight }) => ({ feature, weight })));
}

const sumColumn = (data: TrainingData, sum: readonly LinearTerm[]): Float64Array =>
  Float64Array.from(data.expected, (_, task) =>
    sum.reduce((total, { feature, weight }) => total + weight * data.columns[feature]![task]!, 0),
  );

const highest = <T>(items: readonly T[], score: (item: T) => number): T | undefined =>
  items.reduce<T | undefined>(
    (best, item) => (best === undefined || score(item) > score(best) ? item : best),
    undefined,
  );

/** The cut that separates best and the widest of the precise ones. */
function bestCuts(cuts: readonly Cut[]): { separating?: Cut; precise?: Cut } {
  const separating = highest(
    cuts.filter((cut) => cut.gain > 0),
    (cut) => cut.gain,
  );
  const precise = highest(
    cuts.filter((cut) => cut.precision >= PRECISE && cut.gain > 0),
    (cut) => cut.coverage,
  );
  return { ...(separating && { separating }), ...(precise && { precise }) };
}

/**
 * What the training data says about rules: thresholds at quantiles, and for every feature, and for weighted sums of the
 * most telling ones, the best stump and the widest precise stump for each label. Throws CHIMERA_INVALID_INPUT on ragged
 * or non-finite data.
 */
export function summariseData(data: TrainingData): Pick<SearchContext, 'labels' | 'features' | 'ideas'> {
  checkData(data);
  const separating: (Idea & { rank: number })[] = [];
  const precise: (Idea & { rank: number })[] = [];
  const collect = (column: ArrayLike<number>, labels: readonly number[], toCondition: (cut: Cut) => Condition) => {
    const table = cutTable(column, data.expected, data.labels.length, CUTS_PER_KIND);
    for (const label of labels) {
      const best = bestCuts(cutsFor(table, label));
      const idea = (cut: Cut, rank: number) => ({
        condition: toCondition(cut),
        label: data.labels[label]!,
        coverage: cut.coverage,
        precision: cut.precision,
        rank,
      });
      if (best.separating) separating.push(idea(best.separating, best.separating.gain));
      if (best.precise) precise.push(idea(best.precise, best.precise.coverage));
    }
    return table.cuts;
  };
  const every = data.labels.map((_, label) => label);
  const features = data.names.map((name, feature) => ({
    name,
    cuts: collect(data.columns[feature]!, every, ({ op, threshold }) => ({ feature, op, threshold })),
  }));
  for (const label of every)
    for (const sum of discriminants(data, label))
      collect(sumColumn(data, sum), [label], ({ op, threshold }) => ({ sum, op, threshold }));
  const top = (ideas: typeof separating): Idea[] =>
    ideas
      .sort((a, b) => b.rank - a.rank)
      .slice(0, IDEAS_PER_KIND)
      .map(({ rank: _, ...idea }) => idea);
  return { labels: data.labels, features, ideas: [...top(separating), ...top(precise)] };
}

/**
 * A model as search material: `scores` are what it gave the training tasks at `use.score` (NaN where it had no answer).
 * Its thresholds are quantiles of those, `start` the one with the best balanced accuracy for `use.positive`.
 */
export function offerModel(
  use: Omit<ModelOffer, 'thresholds' | 'start'>,
  scores: ArrayLike<number>,
  expectedPositive: ArrayLike<boolean>,
): ModelOffer {
  const answered = Array.from({ length: scores.length }, (_, i) => i).filter((i) => Number.isFinite(scores[i]));
  const table = cutTable(
    answered.map((i) => scores[i]!),
    answered.map((i) => (expectedPositive[i] ? 1 : 0)),
    2,
    2 * CUTS_PER_KIND,
  );
  const best = highest(
    cutsFor(table, 1).filter((cut) => cut.op === '>'),
    (cut) => cut.gain,
  );
  const start = roundThreshold(best?.threshold ?? 0.5);
  return { ...use, thresholds: table.cuts.length > 0 ? table.cuts : [start], start };
}
