import { invalidInput } from '../../contracts/errors.ts';

/**
 * A histogram of non-negative integers (fuel, model calls) that merges exactly: buckets of one below 32, above that 16 to a
 * doubling, so a quantile is off by at most 1/16 of its value. Plain JSON.
 */
export interface Distribution {
  readonly count: number;
  readonly sum: number;
  /** 0 and −1 while empty. */
  readonly min: number;
  readonly max: number;
  /** Count by bucket number. */
  readonly buckets: Readonly<Record<string, number>>;
}

/** No values yet. */
export function createDistribution(): Distribution {
  return { count: 0, sum: 0, min: 0, max: -1, buckets: {} };
}

/** With these values added. Throws CHIMERA_INVALID_INPUT unless each is a safe integer of at least 0. */
export function addToDistribution(distribution: Distribution, values: readonly number[]): Distribution {
  const buckets: Record<string, number> = { ...distribution.buckets };
  let { count, sum, min, max } = distribution;
  for (const value of values) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw invalidInput('the measure', [{ path: '', message: `is ${value}, must be an integer of at least 0` }]);
    min = count === 0 ? value : Math.min(min, value);
    max = Math.max(max, value);
    count++;
    sum += value;
    const bucket = bucketOf(value);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  return { count, sum, min, max, buckets };
}

/** Both together; associative and commutative to the bit while sums stay below 2^53. */
export function mergeDistributions(a: Distribution, b: Distribution): Distribution {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const buckets: Record<string, number> = { ...a.buckets };
  for (const [bucket, count] of Object.entries(b.buckets)) buckets[bucket] = (buckets[bucket] ?? 0) + count;
  return {
    count: a.count + b.count,
    sum: a.sum + b.sum,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    buckets,
  };
}

/** The value below which a share q of the values lies: the middle of its bucket, within [min, max]; NaN while empty. */
export function distributionQuantile(distribution: Distribution, q: number): number {
  const { count, min, max, buckets } = distribution;
  if (count === 0) return NaN;
  const rank = Math.max(1, Math.min(count, Math.ceil(q * count)));
  let seen = 0;
  // Integer keys of an object come in ascending order.
  for (const [bucket, inside] of Object.entries(buckets)) {
    seen += inside;
    if (seen >= rank) return Math.max(min, Math.min(max, middleOf(Number(bucket))));
  }
  return max;
}

function bucketOf(value: number): number {
  let doublings = 0;
  let mantissa = value;
  while (mantissa >= 32) {
    mantissa = Math.floor(mantissa / 2);
    doublings++;
  }
  return doublings * 16 + mantissa;
}

function middleOf(bucket: number): number {
  if (bucket < 32) return bucket;
  const doublings = Math.floor(bucket / 16) - 1;
  const mantissa = bucket - doublings * 16;
  let width = 1;
  for (let i = 0; i < doublings; i++) width *= 2;
  return mantissa * width + (width - 1) / 2;
}
