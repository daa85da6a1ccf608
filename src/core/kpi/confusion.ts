import { invalidInput } from '../../contracts/errors.ts';
import { bootstrapAll } from '../stats/intervals.ts';
import type { Interval } from '../stats/intervals.ts';

/**
 * Counts of (expected, predicted) labels, row by row: `counts[expected · (labels + 1) + predicted]`. The last column holds
 * answers that are no label at all, or missing: they are wrong for every label.
 */
export interface Confusion {
  readonly labels: readonly string[];
  readonly counts: readonly number[];
}

/** One judged task. `predicted` is absent where the run failed. */
export interface LabelPair {
  readonly expected: string;
  readonly predicted?: string | undefined;
}

/** No counts yet. Throws CHIMERA_INVALID_INPUT for fewer than two labels or a repeated one. */
export function createConfusion(labels: readonly string[]): Confusion {
  if (labels.length < 2 || new Set(labels).size !== labels.length)
    throw invalidInput('the label set', [{ path: '/labels', message: 'must be two or more different labels' }]);
  return { labels, counts: new Array<number>(labels.length * (labels.length + 1)).fill(0) };
}

/** The cell of a pair. Throws CHIMERA_INVALID_INPUT where the expected label is unknown. */
function cellOf(labels: readonly string[], pair: LabelPair): number {
  const row = labels.indexOf(pair.expected);
  if (row < 0)
    throw invalidInput('the expected label', [
      { path: '/expected', message: `"${pair.expected}" is not one of ${labels.join(', ')}` },
    ]);
  const column = pair.predicted === undefined ? -1 : labels.indexOf(pair.predicted);
  return row * (labels.length + 1) + (column < 0 ? labels.length : column);
}

/** The counts with these pairs added. */
export function addPairs(confusion: Confusion, pairs: readonly LabelPair[]): Confusion {
  const counts = confusion.counts.slice();
  for (const pair of pairs) {
    const cell = cellOf(confusion.labels, pair);
    counts[cell] = counts[cell]! + 1;
  }
  return { labels: confusion.labels, counts };
}

/** Both counts together. Throws CHIMERA_INVALID_INPUT where the label sets differ. */
export function mergeConfusion(a: Confusion, b: Confusion): Confusion {
  if (a.labels.join('\n') !== b.labels.join('\n'))
    throw invalidInput('the label sets', [{ path: '/labels', message: 'must be the same to merge' }]);
  return { labels: a.labels, counts: a.counts.map((count, i) => count + b.counts[i]!) };
}

/** A figure of merit computed from counts. */
export type ConfusionMetric = (labels: number, counts: ArrayLike<number>) => number;

/** Share of right answers; NaN without tasks. */
export const accuracy: ConfusionMetric = (labels, counts) => {
  let right = 0;
  let all = 0;
  for (let i = 0; i < counts.length; i++) all += counts[i]!;
  for (let row = 0; row < labels; row++) right += counts[row * (labels + 1) + row]!;
  return right / all;
};

/** Mean recall over the labels that occur; NaN without tasks. */
export const balancedAccuracy: ConfusionMetric = (labels, counts) => {
  let sum = 0;
  let present = 0;
  for (let row = 0; row < labels; row++) {
    const all = rowSum(labels, counts, row);
    if (all === 0) continue;
    sum += counts[row * (labels + 1) + row]! / all;
    present++;
  }
  return sum / present;
};

/** F1 of one label, 2 TP / (2 TP + FP + FN): 0 where it is expected or answered but never right, NaN where it is neither. */
export function f1Of(index: number): ConfusionMetric {
  return (labels, counts) => {
    const right = counts[index * (labels + 1) + index]!;
    let answered = 0;
    for (let row = 0; row < labels; row++) answered += counts[row * (labels + 1) + index]!;
    return (2 * right) / (answered + rowSum(labels, counts, index));
  };
}

/** Mean F1 over the labels that are expected or answered. */
export const macroF1: ConfusionMetric = (labels, counts) => {
  let sum = 0;
  let present = 0;
  for (let index = 0; index < labels; index++) {
    const value = f1Of(index)(labels, counts);
    if (Number.isNaN(value)) continue;
    sum += value;
    present++;
  }
  return sum / present;
};

function rowSum(labels: number, counts: ArrayLike<number>, row: number): number {
  let sum = 0;
  for (let column = 0; column <= labels; column++) sum += counts[row * (labels + 1) + column]!;
  return sum;
}

/** The value of a metric on counts. */
export function metricOf(confusion: Confusion, metric: ConfusionMetric): number {
  return metric(confusion.labels.length, confusion.counts);
}

export interface ReportOptions {
  readonly labels: readonly string[];
  /** The label whose F1 is reported; the last one by default. */
  readonly positive?: string | undefined;
  readonly seed: string;
  readonly replicates?: number | undefined;
  readonly level?: number | undefined;
}

/** The figures of merit with their bootstrap intervals. */
export interface QualityIntervals {
  readonly tasks: number;
  readonly accuracy: Interval;
  readonly balancedAccuracy: Interval;
  readonly macroF1: Interval;
  /** F1 of the positive label. */
  readonly f1: Interval;
}

/** Quality of a classifier on a set of tasks. */
export interface ClassificationReport extends QualityIntervals {
  readonly positive: string;
  readonly confusion: Confusion;
}

/** All figures of one set of answers. Without tasks they are NaN. */
export function classificationReport(pairs: readonly LabelPair[], options: ReportOptions): ClassificationReport {
  const confusion = addPairs(createConfusion(options.labels), pairs);
  return { ...intervals([pairs], options), positive: positiveOf(options), confusion };
}

/**
 * The differences (first − second) of two classifiers with paired bootstrap intervals: `first[i]` and `second[i]` answer the
 * same task, CHIMERA_INVALID_INPUT otherwise.
 */
export function comparePaired(
  first: readonly LabelPair[],
  second: readonly LabelPair[],
  options: ReportOptions,
): QualityIntervals {
  createConfusion(options.labels);
  if (first.length !== second.length || first.some((pair, i) => pair.expected !== second[i]!.expected))
    throw invalidInput('the paired answers', [{ path: '', message: 'must judge the same tasks in the same order' }]);
  return intervals([first, second], options);
}

const positiveOf = (options: ReportOptions): string => options.positive ?? options.labels[options.labels.length - 1]!;

/** Every metric of one set of answers, or its difference between two, on the same resamples. */
function intervals(sets: readonly (readonly LabelPair[])[], options: ReportOptions): QualityIntervals {
  const { labels } = options;
  const positive = labels.indexOf(positiveOf(options));
  if (positive < 0)
    throw invalidInput('the report', [{ path: '/positive', message: `"${options.positive}" is no label` }]);
  const metrics = [accuracy, balancedAccuracy, macroF1, f1Of(positive)];
  const cells = sets.map((pairs) => Uint32Array.from(pairs, (pair) => cellOf(labels, pair)));
  const counts = new Uint32Array(labels.length * (labels.length + 1));
  const values = (set: Uint32Array, indices: Uint32Array): number[] => {
    counts.fill(0);
    for (let i = 0; i < indices.length; i++) {
      const cell = set[indices[i]!]!;
      counts[cell] = counts[cell]! + 1;
    }
    return metrics.map((metric) => metric(labels.length, counts));
  };
  const [first, second] = cells;
  const found = bootstrapAll(
    (indices) => {
      const left = values(first!, indices);
      if (second === undefined) return left;
      const right = values(second, indices);
      return left.map((value, k) => value - right[k]!);
    },
    { ...options, size: first!.length },
  );
  return {
    tasks: first!.length,
    accuracy: found[0]!,
    balancedAccuracy: found[1]!,
    macroF1: found[2]!,
    f1: found[3]!,
  };
}
