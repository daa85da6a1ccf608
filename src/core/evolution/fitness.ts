import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import type { Sha256 } from '../canonical/canonical.ts';
import { balancedAccuracy } from '../kpi/confusion.ts';
import type { Genome } from './genome.ts';
import { firingRule } from './interpret.ts';

/** What a candidate came to on the tasks of one split; plain JSON. */
export interface Evaluation {
  /** Hash of the genome. */
  readonly candidate: Sha256;
  /** All tasks, unscorable ones included. */
  readonly tasks: number;
  /** Tasks on which it asked for an effect that nobody recorded: left out of quality and cost. */
  readonly unscorable: number;
  /** Scorable tasks on which it failed, or answered no known label: wrong answers. */
  readonly errors: number;
  /** Balanced accuracy over the scorable tasks; 0 without any. */
  readonly quality: number;
  /** Standard error of `quality` from the binomial variance of each label's recall. */
  readonly qualityError: number;
  /** Mean cost of a scorable task, in units of {@link FUEL_PER_UNIT}: fuel and the models asked. */
  readonly cost: number;
  /** Fuel spent in all. */
  readonly fuel: number;
  /** How many tasks each rule decided, where that was counted. */
  readonly coverage?: readonly number[];
}

/**
 * Cost is counted in calls of the cheapest model. One such call stands for this much fuel: a small encoder reads a text in
 * about ten milliseconds, in which an agent executes some ten million instructions.
 */
export const FUEL_PER_UNIT = 10_000_000;

/** Stands for a label where a run failed, or answered no known label. */
export const FAILED = -1;
/** Stands for a label where a run needs an unrecorded world effect. */
export const UNSCORABLE = -2;

/** Results of one candidate, a value a task, in the order of `expected`. */
export interface ResultColumns {
  /** Index of the label, {@link FAILED} or {@link UNSCORABLE}. */
  readonly predicted: ArrayLike<number>;
  readonly fuel: ArrayLike<number>;
  /** Price of the models asked, in units of cost: 1 for a call of the cheapest. */
  readonly modelPrice: ArrayLike<number>;
}

/**
 * Sums up a candidate's results; `labels` is how many there are. Tasks add up in index order, so that the same columns give the same bits.
 * Throws CHIMERA_INVALID_INPUT on ragged columns or unknown codes.
 */
export function evaluateColumns(
  candidate: Sha256,
  expected: ArrayLike<number>,
  columns: ResultColumns,
  labels: number,
  coverage?: readonly number[],
): Evaluation {
  checkColumns(expected, columns, labels);
  const counts = new Array<number>(labels * (labels + 1)).fill(0);
  let [unscorable, errors, cost, fuel] = [0, 0, 0, 0];
  for (let task = 0; task < expected.length; task++) {
    const predicted = columns.predicted[task]!;
    fuel += columns.fuel[task]!;
    if (predicted === UNSCORABLE) {
      unscorable++;
      continue;
    }
    if (predicted === FAILED) errors++;
    counts[expected[task]! * (labels + 1) + (predicted === FAILED ? labels : predicted)]!++;
    cost += columns.fuel[task]! / FUEL_PER_UNIT + columns.modelPrice[task]!;
  }
  const scorable = expected.length - unscorable;
  return {
    candidate,
    tasks: expected.length,
    unscorable,
    errors,
    quality: scorable === 0 ? 0 : balancedAccuracy(labels, counts),
    qualityError: qualityError(labels, counts),
    cost: scorable === 0 ? 0 : cost / scorable,
    fuel,
    ...(coverage && { coverage }),
  };
}

function checkColumns(expected: ArrayLike<number>, columns: ResultColumns, labels: number): void {
  const problems: Problem[] = [];
  for (const name of ['predicted', 'fuel', 'modelPrice'] as const)
    if (columns[name].length !== expected.length)
      problems.push({ path: `/${name}`, message: `${columns[name].length} values for ${expected.length} tasks` });
  const within = (value: number, lowest: number): boolean =>
    Number.isInteger(value) && value >= lowest && value < labels;
  for (let task = 0; task < expected.length; task++) {
    if (!within(expected[task]!, 0)) problems.push({ path: `/expected/${task}`, message: 'is no label' });
    if (task < columns.predicted.length && !within(columns.predicted[task]!, UNSCORABLE))
      problems.push({ path: `/predicted/${task}`, message: 'is no label and no known code' });
  }
  if (problems.length > 0) throw invalidInput('the results', problems);
}

/** Balanced accuracy is a mean of independent recalls; Laplace's estimate keeps a perfect recall from error 0. */
function qualityError(labels: number, counts: readonly number[]): number {
  let variance = 0;
  let present = 0;
  for (let row = 0; row < labels; row++) {
    let all = 0;
    for (let column = 0; column <= labels; column++) all += counts[row * (labels + 1) + column]!;
    if (all === 0) continue;
    const recall = (counts[row * (labels + 1) + row]! + 1) / (all + 2);
    variance += (recall * (1 - recall)) / all;
    present++;
  }
  return present === 0 ? 0 : Math.sqrt(variance) / present;
}

/** How many tasks each rule decides; `rows` are feature vectors. What `dropUnused` needs. */
export function ruleCoverage(genome: Genome, rows: Iterable<ArrayLike<number>>): number[] {
  const coverage = genome.rules.map(() => 0);
  for (const features of rows) {
    const rule = firingRule(genome, features);
    if (rule < coverage.length) coverage[rule]!++;
  }
  return coverage;
}
