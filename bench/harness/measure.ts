import { ChimeraError } from '../../src/contracts/errors.ts';

/** The middle of several runs and how far they spread. */
export interface Spread {
  median: number;
  /** First and third quartile. */
  low: number;
  high: number;
  rounds: number;
}

/** A median with its distribution-free interval (order statistics of the sign test). */
export interface MedianInterval {
  median: number;
  low: number;
  high: number;
  /** Probability with which such an interval covers the true median: below what was asked for where rounds are few. */
  coverage: number;
}

export interface Comparison {
  a: Spread;
  b: Spread;
  /** a / b, round by round, so that a machine that slows down slows both. */
  ratio: MedianInterval;
}

/**
 * Runs `a` and `b` in turns, swapping who goes first each round, so that neither owns the warm or the quiet machine.
 * @param a one round of the subject, giving its figure (seconds, items/s, …); greater than 0
 * @param b the same of the peer or the limit
 * @param rounds measured rounds, at least 3
 * @param warmup rounds before that are not counted
 */
export async function alternate(
  a: () => Promise<number>,
  b: () => Promise<number>,
  rounds: number,
  warmup = 1,
): Promise<Comparison> {
  if (rounds < 3) throw new ChimeraError('CHIMERA_INVALID_INPUT', { what: `${rounds} rounds (at least 3 are needed)` });
  const figures: { a: number; b: number }[] = [];
  for (let round = -warmup; round < rounds; round += 1) {
    const aFirst = round % 2 === 0;
    const first = await (aFirst ? a : b)();
    const second = await (aFirst ? b : a)();
    if (round >= 0) figures.push(aFirst ? { a: first, b: second } : { a: second, b: first });
  }
  return {
    a: spread(figures.map((figure) => figure.a)),
    b: spread(figures.map((figure) => figure.b)),
    ratio: medianInterval(figures.map((figure) => figure.a / figure.b)),
  };
}

/** Linear interpolation between order statistics (Hyndman & Fan type 7), `q` in [0, 1]; NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((x, y) => x - y);
  const place = (sorted.length - 1) * q;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? below;
  return below + (above - below) * (place - Math.floor(place));
}

export function spread(values: readonly number[]): Spread {
  return {
    median: quantile(values, 0.5),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    rounds: values.length,
  };
}

/**
 * The shortest symmetric pair of order statistics that covers the median with at least `confidence`, else the extremes.
 * The interval (x₍k₎, x₍n+1−k₎) covers with 1 − 2·P(Bin(n, ½) < k), whatever the distribution.
 */
export function medianInterval(values: readonly number[], confidence = 0.95): MedianInterval {
  const sorted = values.toSorted((x, y) => x - y);
  const n = sorted.length;
  let k = 1;
  let coverage = 1 - 2 * lowerTail(n, 1);
  for (let next = 2; next <= n / 2; next += 1) {
    const narrower = 1 - 2 * lowerTail(n, next);
    if (narrower < confidence) break;
    k = next;
    coverage = narrower;
  }
  return {
    median: quantile(values, 0.5),
    low: sorted[k - 1] ?? Number.NaN,
    high: sorted[n - k] ?? Number.NaN,
    coverage: Math.max(0, coverage),
  };
}

/** P(Bin(n, ½) < k). */
function lowerTail(n: number, k: number): number {
  let term = 0.5 ** n;
  let sum = 0;
  for (let i = 0; i < k; i += 1) {
    sum += term;
    term = (term * (n - i)) / (i + 1);
  }
  return sum;
}
