import type { Comparison } from './genome.ts';

/** To six significant digits: enough to separate data, few enough to read in a program. */
export const roundThreshold = (value: number): number => Number(value.toPrecision(6));

/** The numbers of a column between which it can be cut, and how the labels fall on both sides. */
export interface CutTable {
  /** Ascending; `value <= cut` splits the data at a place between two distinct values. */
  readonly cuts: readonly number[];
  /** `below[c][label]`: how many tasks of that label have a value of at most `cuts[c]`. */
  readonly below: readonly (readonly number[])[];
  /** How many tasks there are of each label. */
  readonly totals: readonly number[];
}

/** A threshold strictly separating two neighbouring values, as short as rounding allows. */
function between(low: number, high: number): number {
  const middle = roundThreshold(low + (high - low) / 2);
  return low <= middle && middle < high ? middle : low;
}

/**
 * Cuts of a column of finite numbers at its quantiles, half of them over all values and half over the distinct ones, so
 * that neither a dense nor a rare region is left out. At most 2 × `perKind` cuts; none for a constant column.
 */
export function cutTable(
  column: ArrayLike<number>,
  expected: ArrayLike<number>,
  labels: number,
  perKind: number,
): CutTable {
  const count = column.length;
  const order = Array.from({ length: count }, (_, index) => index).sort((a, b) => column[a]! - column[b]! || a - b);
  // Ends of the runs of equal values: run r holds order[ends[r − 1] .. ends[r]).
  const ends: number[] = [];
  for (let i = 1; i <= count; i++) if (i === count || column[order[i]!] !== column[order[i - 1]!]) ends.push(i);
  const boundaries = ends.length - 1;
  const chosen = new Set<number>();
  let run = 0;
  for (let q = 1; q <= perKind && boundaries > 0; q++) {
    const place = Math.floor((q * count) / (perKind + 1));
    while (ends[run]! <= place) run++;
    chosen.add(Math.min(run, boundaries - 1));
    chosen.add(Math.min(Math.floor((q * boundaries) / (perKind + 1)), boundaries - 1));
  }
  const runs = [...chosen].sort((a, b) => a - b);
  const cuts: number[] = [];
  const below: number[][] = [];
  const seen = new Array<number>(labels).fill(0);
  let next = 0;
  for (const chosenRun of runs) {
    const end = ends[chosenRun]!;
    for (; next < end; next++) seen[expected[order[next]!]!]!++;
    cuts.push(between(column[order[end - 1]!]!, column[order[end]!]!));
    below.push([...seen]);
  }
  for (; next < count; next++) seen[expected[order[next]!]!]!++;
  return { cuts, below, totals: seen };
}

/** A condition on one column that predicts a label. */
export interface Cut {
  readonly op: Comparison;
  readonly threshold: number;
  readonly label: number;
  /** Youden's J: the share of the label that fires less the share of the others that does. */
  readonly gain: number;
  /** Share of the tasks that fire. */
  readonly coverage: number;
  /** Laplace's estimate (right + 1) / (fired + 2), so that a few lucky hits do not count as certain. */
  readonly precision: number;
}

/** Every cut of the table with both comparisons, as a predictor of `label`. */
export function cutsFor(table: CutTable, label: number): Cut[] {
  const all = table.totals.reduce((sum, count) => sum + count, 0);
  const own = table.totals[label]!;
  const sides = (['<=', '>'] as const).flatMap((op) =>
    table.cuts.map((threshold, index) => {
      const below = table.below[index]!;
      const belowAll = below.reduce((sum, count) => sum + count, 0);
      const fired = op === '<=' ? belowAll : all - belowAll;
      const right = op === '<=' ? below[label]! : own - below[label]!;
      const gain = (own === 0 ? 0 : right / own) - (all === own ? 0 : (fired - right) / (all - own));
      return { op, threshold, label, gain, coverage: fired / all, precision: (right + 1) / (fired + 2) };
    }),
  );
  return sides;
}
