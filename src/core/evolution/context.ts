import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import { canonicalJson } from '../canonical/canonical.ts';
import { cutTable, cutsFor, roundThreshold } from './cuts.ts';
import type { Cut, CutTable } from './cuts.ts';
import { coverPrecisely } from './covering.ts';
import type { CutColumn, RuleList } from './covering.ts';
import { isAsk } from './genome.ts';
import type { Condition, Genome, LinearTerm, ModelUse } from './genome.ts';

/** What a search may build with: plain JSON, made once from training data, part of the search state. */
export interface SearchContext {
  readonly labels: readonly string[];
  readonly features: readonly FeatureSummary[];
  readonly ideas: readonly Idea[];
  /** Decision lists from the training data, the most precise first. */
  readonly lists: readonly RuleList[];
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

/** Conditions that together say something about a label on the training data. */
export interface Idea {
  readonly when: readonly Condition[];
  readonly label: string;
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
/** From rules that hardly ever err to rules that are right more often than not. */
const LIST_PRECISIONS = [0.98, 0.95, 0.9, 0.8];
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

/** The features, and weighted sums of the most telling ones for each label, each with its cuts. */
function cutColumns(data: TrainingData): { column: CutColumn; labels: readonly number[] }[] {
  const { expected } = data;
  const every = data.labels.map((_, label) => label);
  const tableOf = (values: ArrayLike<number>): CutTable => cutTable(values, expected, every.length, CUTS_PER_KIND);
  const single = data.columns.map((values, feature) => ({
    column: { values, table: tableOf(values), condition: (op, threshold) => ({ feature, op, threshold }) } as CutColumn,
    labels: every,
  }));
  const sums = every.flatMap((label) =>
    discriminants(data, label).map((sum) => {
      const values = sumColumn(data, sum);
      const condition: CutColumn['condition'] = (op, threshold) => ({ sum, op, threshold });
      return { column: { values, table: tableOf(values), condition }, labels: [label] };
    }),
  );
  return [...single, ...sums];
}

/**
 * What the training data says about rules: thresholds at quantiles; for every feature, and for weighted sums of the most
 * telling ones, the best stump and the widest precise stump for each label; and decision lists of precise conjunctions.
 * Throws CHIMERA_INVALID_INPUT on ragged or non-finite data.
 */
export function summariseData(data: TrainingData): Pick<SearchContext, 'labels' | 'features' | 'ideas' | 'lists'> {
  checkData(data);
  const columns = cutColumns(data);
  const separating: { idea: Idea; rank: number }[] = [];
  const precise: { idea: Idea; rank: number }[] = [];
  for (const { column, labels } of columns)
    for (const label of labels) {
      const best = bestCuts(cutsFor(column.table, label));
      const idea = ({ op, threshold }: Cut): Idea => ({
        when: [column.condition(op, threshold)],
        label: data.labels[label]!,
      });
      if (best.separating) separating.push({ idea: idea(best.separating), rank: best.separating.gain });
      if (best.precise) precise.push({ idea: idea(best.precise), rank: best.precise.coverage });
    }
  const top = (ideas: typeof separating): Idea[] =>
    ideas
      .sort((a, b) => b.rank - a.rank)
      .slice(0, IDEAS_PER_KIND)
      .map(({ idea }) => idea);
  const all = columns.map(({ column }) => column);
  const lists = LIST_PRECISIONS.map((precision) => coverPrecisely(all, data.expected, data.labels, precision)).filter(
    (list) => list.rules.length > 0,
  );
  const listed = lists.flatMap(({ rules }) =>
    rules.flatMap(({ when, then }) => (isAsk(then) ? [] : [{ when, label: then.label }])),
  );
  const distinct = new Map([...top(separating), ...top(precise), ...listed].map((idea) => [canonicalJson(idea), idea]));
  return {
    labels: data.labels,
    features: data.names.map((name, feature) => ({ name, cuts: columns[feature]!.column.table.cuts })),
    ideas: [...distinct.values()],
    lists,
  };
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
