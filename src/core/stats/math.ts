import { highWord, scale, withHighWord } from './bits.ts';

export { pow } from './pow.ts';

/*
 * Elementary functions in plain IEEE 754 arithmetic, so that every engine gives the same bits (Math.exp and friends may
 * differ in the last place). `exp`, `log` and `log1p` follow e_exp.c, e_log.c and s_log1p.c of fdlibm 5.3 (Sun
 * Microsystems, 1993, freely granted with this notice: "Developed at SunSoft, a Sun Microsystems, Inc. business.
 * Permission to use, copy, modify, and distribute this software is freely granted, provided that this notice is
 * preserved."). Errors stay below 1 ulp. `Math.sqrt`, `abs`, `floor`, `min`, `max` are exact by the standard.
 */

const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;
const INVERSE_LN2 = 1.442695040888963387;
export const LN2 = 6.93147180559945286227e-1;

/** e^x. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.782712893384) return Infinity;
  if (x < -745.1332191019411) return 0;
  const size = Math.abs(x);
  if (size < 3.725290298461914e-9) return 1 + x;
  let high = x;
  let low = 0;
  let k = 0;
  if (size > 0.5 * LN2) {
    k = size < 1.5 * LN2 ? (x < 0 ? -1 : 1) : Math.trunc(INVERSE_LN2 * x + (x < 0 ? -0.5 : 0.5));
    high = x - k * LN2_HIGH;
    low = k * LN2_LOW;
  }
  const r = high - low;
  const t = r * r;
  const c =
    r -
    t *
      (1.66666666666666019037e-1 +
        t *
          (-2.77777777770155933842e-3 +
            t * (6.61375632143793436117e-5 + t * (-1.6533902205465251539e-6 + t * 4.13813679705723846039e-8))));
  if (k === 0) return 1 - ((r * c) / (c - 2) - r);
  return scale(1 - (low - (r * c) / (2 - c) - high), k);
}

/** The odd part of log(1+f) in s = f / (2+f): R(s²), fdlibm's minimax polynomial. */
function logPolynomial(s: number): number {
  const z = s * s;
  const w = z * z;
  const even = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1));
  const odd =
    z *
    (6.66666666666673513e-1 +
      w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1)));
  return even + odd;
}

/** log(2^k · (1+f)) + c, for 1+f in [√½, √2] and c the rounding error of 1+f. */
function logParts(k: number, f: number, c: number): number {
  if (f === 0) return k * LN2_HIGH + (c + k * LN2_LOW);
  const half = 0.5 * f * f;
  const s = f / (2 + f);
  const tail = s * (half + logPolynomial(s));
  if (k === 0) return f - (half - (tail + c));
  return k * LN2_HIGH - (half - (tail + (k * LN2_LOW + c)) - f);
}

/** x = 2^k · m with m in [√½, √2). */
function reduce(x: number): { k: number; m: number } {
  let k = 0;
  let y = x;
  if (y < 2.2250738585072014e-308) {
    k -= 54;
    y *= 18014398509481984;
  }
  const high = highWord(y);
  k += (high >> 20) - 1023;
  const fraction = high & 0xfffff;
  // Above √2 the next power of two is nearer, which keeps |f| small and log(x) free of cancellation near 1.
  const i = (fraction + 0x95f64) & 0x100000;
  k += i >> 20;
  return { k, m: withHighWord(y, fraction | (i ^ 0x3ff00000)) };
}

/** The natural logarithm; −∞ at 0, NaN below. */
export function log(x: number): number {
  if (Number.isNaN(x) || x < 0) return NaN;
  if (x === 0) return -Infinity;
  if (x === Infinity) return x;
  const { k, m } = reduce(x);
  return logParts(k, m - 1, 0);
}

/** log(1 + x), accurate near 0; −∞ at −1, NaN below. */
export function log1p(x: number): number {
  if (Number.isNaN(x) || x < -1) return NaN;
  if (x === -1) return -Infinity;
  if (x === Infinity) return x;
  const size = Math.abs(x);
  if (size < 5.551115123125783e-17) return x;
  if (size < 1.862645149230957e-9) return x - x * x * 0.5;
  if (x > -0.2928932188134524 && x < 0.41421356237309503) return logParts(0, x, 0);
  const u = 1 + x;
  const { k, m } = reduce(u);
  const c = k > 53 ? 0 : (k > 0 ? 1 - (u - x) : x - (u - 1)) / u;
  return logParts(k, m - 1, c);
}

/** log2(x); exact at powers of two. */
export function log2(x: number): number {
  if (!(x > 0) || x === Infinity) return log(x);
  const { k, m } = reduce(x);
  return k + logParts(0, m - 1, 0) * INVERSE_LN2;
}

/** 1 / (1 + e^−x), without overflow at either end. */
export function logistic(x: number): number {
  if (x >= 0) return 1 / (1 + exp(-x));
  const e = exp(x);
  return e / (1 + e);
}

/** log(p / (1 − p)) for p in (0, 1): the inverse of {@link logistic}. */
export function logit(p: number): number {
  return log(p) - log1p(-p);
}

/** log(e^a + e^b + …) without overflow; −∞ for an empty list. */
export function logSumExp(values: readonly number[]): number {
  let top = -Infinity;
  for (const value of values) top = Math.max(top, value);
  if (top === -Infinity || top === Infinity) return top;
  return top + log(sumBlocks(values.map((value) => exp(value - top))));
}

const HALF_LOG_TWO_PI = 0.9189385332046727418;
/** B(2j) / (2j (2j−1)), the coefficients of Stirling's series. */
const STIRLING = [
  1 / 12,
  -1 / 360,
  1 / 1260,
  -1 / 1680,
  1 / 1188,
  -691 / 360360,
  1 / 156,
  -3617 / 122400,
  43867 / 244188,
] as const;

/**
 * log Γ(x) for x > 0 (NaN elsewhere): Stirling's series above 12, reached by Γ(x+1) = x Γ(x). The absolute error is
 * below 1e-14 · max(1, |log Γ(x)|).
 */
export function logGamma(x: number): number {
  if (!(x > 0)) return NaN;
  if (x === Infinity || x === 1 || x === 2) return x === Infinity ? x : 0;
  let y = x;
  let product = 1;
  for (; y < 12; y++) product *= y;
  const inverse = 1 / y;
  const square = inverse * inverse;
  let series = 0;
  for (let j = STIRLING.length - 1; j >= 0; j--) series = series * square + STIRLING[j]!;
  return (y - 0.5) * log(y) - y + HALF_LOG_TWO_PI + series * inverse - log(product);
}

/** log B(a, b) for a, b > 0. */
export function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

const BLOCK = 256;

/**
 * The sum in a fixed order: Neumaier-compensated within blocks of 256, then over the blocks' sums, so that a shard of
 * whole blocks summed apart gives the same bits as one pass.
 */
export function sumBlocks(values: ArrayLike<number>): number {
  if (values.length <= BLOCK) return compensated(values, 0, values.length);
  const blocks: number[] = [];
  for (let from = 0; from < values.length; from += BLOCK) {
    blocks.push(compensated(values, from, Math.min(from + BLOCK, values.length)));
  }
  return compensated(blocks, 0, blocks.length);
}

/** Neumaier's variant of Kahan's sum of values[from … to−1]. */
function compensated(values: ArrayLike<number>, from: number, to: number): number {
  let sum = 0;
  let lost = 0;
  for (let i = from; i < to; i++) {
    const value = values[i]!;
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return Number.isFinite(sum) ? sum + lost : sum;
}

/** The mean by {@link sumBlocks}; NaN for an empty list. */
export function mean(values: ArrayLike<number>): number {
  return values.length === 0 ? NaN : sumBlocks(values) / values.length;
}
