import { invalidInput } from '../../contracts/errors.ts';
import { stream } from '../random/random.ts';
import { log } from './math.ts';

/** An estimate with a confidence interval of the given level. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly level: number;
}

/**
 * The quantile of the standard normal distribution for p in (0, 1); ∓∞ at 0 and 1. Algorithm AS 241, PPND16 (Wichura,
 * Applied Statistics 37, 1988), relative error about 1e-16.
 */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) return NaN;
  if (p === 0 || p === 1) return p === 0 ? -Infinity : Infinity;
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * ratio(0.180625 - q * q, CENTRE_TOP, CENTRE_BOTTOM);
  const r = Math.sqrt(-log(q < 0 ? p : 1 - p));
  const size = r <= 5 ? ratio(r - 1.6, MIDDLE_TOP, MIDDLE_BOTTOM) : ratio(r - 5, TAIL_TOP, TAIL_BOTTOM);
  return q < 0 ? -size : size;
}

/** The quotient of two polynomials, coefficients from the constant term up. */
function ratio(x: number, top: readonly number[], bottom: readonly number[]): number {
  let a = 0;
  let b = 0;
  for (let i = top.length - 1; i >= 0; i--) {
    a = a * x + top[i]!;
    b = b * x + bottom[i]!;
  }
  return a / b;
}

const CENTRE_TOP = [
  3.387132872796366608, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125, 45921.953931549871457,
  67265.770927008700853, 33430.575583588128105, 2509.0809287301226727,
];
const CENTRE_BOTTOM = [
  1, 42.313330701600911252, 687.1870074920579083, 5394.1960214247511077, 21213.794301586595867, 39307.89580009271061,
  28729.085735721942674, 5226.495278852545925,
];
const MIDDLE_TOP = [
  1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504, 1.27045825245236838258,
  2.4178072517745061177e-1, 2.27238449892691845833e-2, 7.7454501427834140764e-4,
];
const MIDDLE_BOTTOM = [
  1, 2.05319162663775882187, 1.6763848301838038494, 6.8976733498510000455e-1, 1.4810397642748007459e-1,
  1.51986665636164571966e-2, 5.475938084995344946e-4, 1.05075007164441684324e-9,
];
const TAIL_TOP = [
  6.6579046435011037772, 5.4637849111641143699, 1.7848265399172913358, 2.9656057182850489123e-1,
  2.6532189526576123093e-2, 1.2426609473880784386e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
];
const TAIL_BOTTOM = [
  1, 5.9983220655588793769e-1, 1.3692988092273580531e-1, 1.48753612908506148525e-2, 7.868691311456132591e-4,
  1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15,
];

/**
 * Wilson's score interval of a proportion. With no trials: estimate NaN, interval [0, 1]. Throws CHIMERA_INVALID_INPUT unless
 * 0 ≤ successes ≤ trials and 0 < level < 1.
 */
export function wilson(successes: number, trials: number, level = 0.95): Interval {
  if (!(successes >= 0 && successes <= trials && level > 0 && level < 1)) {
    const message = `${successes} of ${trials} at level ${level}`;
    throw invalidInput('the proportion', [{ path: '', message }]);
  }
  if (trials === 0) return { estimate: NaN, low: 0, high: 1, level };
  const z = normalQuantile((1 + level) / 2);
  const p = successes / trials;
  const shrink = 1 + (z * z) / trials;
  const centre = (p + (z * z) / (2 * trials)) / shrink;
  const half = (z * Math.sqrt((p * (1 - p)) / trials + (z * z) / (4 * trials * trials))) / shrink;
  // At the ends rounding may leave the interval on the wrong side of an exact 0 or 1.
  const low = successes === 0 ? 0 : Math.max(0, centre - half);
  const high = successes === trials ? 1 : Math.min(1, centre + half);
  return { estimate: p, low, high, level };
}

export interface BootstrapOptions {
  /** How many observations there are; resamples have the same size. */
  readonly size: number;
  readonly seed: string;
  /** Default 2,000. */
  readonly replicates?: number | undefined;
  /** Default 0.95. */
  readonly level?: number | undefined;
}

/**
 * Statistics of the observations with these indices (with repetition). For a paired difference compute both sides on the
 * same indices. The array is reused: do not keep it. NaN leaves the resample out of that statistic's interval.
 */
export type Statistics = (indices: Uint32Array) => readonly number[];

/**
 * Percentile bootstrap (Efron 1979) of several statistics on the same resamples: each interval lies between the
 * (1 ∓ level)/2 quantiles of its statistic. Seeded: the same options give the same intervals.
 */
export function bootstrapAll(statistics: Statistics, options: BootstrapOptions): Interval[] {
  const { size, seed, replicates = 2000, level = 0.95 } = options;
  const indices = new Uint32Array(size);
  for (let i = 0; i < size; i++) indices[i] = i;
  const estimates = statistics(indices);
  const values: number[][] = estimates.map(() => []);
  for (let replicate = 0; size > 0 && replicate < replicates; replicate++) {
    const draws = stream(seed, 0, replicate, 'bootstrap');
    for (let i = 0; i < size; i++) indices[i] = draws.integer(size);
    statistics(indices).forEach((value, k) => {
      if (!Number.isNaN(value)) values[k]!.push(value);
    });
  }
  return estimates.map((estimate, k) => {
    const sorted = values[k]!.sort((a, b) => a - b);
    return { estimate, low: quantile(sorted, (1 - level) / 2), high: quantile(sorted, (1 + level) / 2), level };
  });
}

/** {@link bootstrapAll} for one statistic. */
export function bootstrap(statistic: (indices: Uint32Array) => number, options: BootstrapOptions): Interval {
  return bootstrapAll((indices) => [statistic(indices)], options)[0]!;
}

/** The quantile of ascending values, linear between order statistics (R's type 7); NaN for none. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return NaN;
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low === high ? low : low + (position - below) * (high - low);
}

/** The median of values in any order; NaN for none. */
export function median(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}
