import { clearLowWord, highWord, lowWord, scale, withHighWord } from './bits.ts';

/*
 * x^y after e_pow.c of fdlibm 5.3 (Sun Microsystems, 1993, freely granted; notice in math.ts): log2(x) to 53 + 24 bits
 * in two doubles, times y in two doubles, and 2 to that. Its error is below 0.7 ulp.
 */

/** 3/2 · (log2(x) head and tail) constants: 2/(3 ln 2) and its split; log2(1.5) and its split. */
const CP = 9.61796693925975554329e-1;
const CP_HIGH = 9.61796700954437255859e-1;
const CP_LOW = -7.02846165095275826516e-9;
const LOG2_THREE_HALVES_HIGH = 5.84962487220764160156e-1;
const LOG2_THREE_HALVES_LOW = 1.35003920212974897128e-8;
const INVERSE_LN2 = 1.442695040888963387;
const INVERSE_LN2_HIGH = 1.44269502162933349609;
const INVERSE_LN2_LOW = 1.92596299112661746887e-8;
const LN2 = 6.93147180559945286227e-1;
const LN2_HIGH = 6.93147182464599609375e-1;
const LN2_LOW = -1.90465429995776804525e-9;
/** −(1024 − log2(overflow threshold + ½ ulp)): decides the last half ulp before overflow. */
const OVERFLOW_TAIL = 8.0085662595372944372e-17;

/** log2(ax) = head + tail, for finite ax > 0. */
function log2Parts(ax: number): { head: number; tail: number } {
  let x = ax;
  let n = 0;
  if (x < 2.2250738585072014e-308) {
    x *= 9007199254740992;
    n -= 53;
  }
  let high = highWord(x);
  n += (high >> 20) - 1023;
  const fraction = high & 0x000fffff;
  high = fraction | 0x3ff00000;
  let k = 0;
  if (fraction >= 0xbb67a) {
    n += 1;
    high -= 0x00100000;
  } else if (fraction > 0x3988e) k = 1;
  x = withHighWord(x, high);

  // s = (x − base) / (x + base) for base 1 or 1.5, in two doubles.
  const base = k === 1 ? 1.5 : 1;
  const u = x - base;
  const v = 1 / (x + base);
  const s = u * v;
  const sHigh = clearLowWord(s);
  const tHigh = withHighWord(0, ((high >> 1) | 0x20000000) + 0x00080000 + (k << 18));
  const tLow = x - (tHigh - base);
  const sLow = v * (u - sHigh * tHigh - sHigh * tLow);

  // log(x) to two doubles.
  const s2 = s * s;
  let r =
    s2 *
    s2 *
    (5.99999999999994648725e-1 +
      s2 *
        (4.28571428578550184252e-1 +
          s2 *
            (3.33333329818377432918e-1 +
              s2 * (2.72728123808534006489e-1 + s2 * (2.30660745775561754067e-1 + s2 * 2.06975017800338417784e-1)))));
  r += sLow * (sHigh + s);
  const sHigh2 = sHigh * sHigh;
  const head3 = clearLowWord(3 + sHigh2 + r);
  const tail3 = r - (head3 - 3 - sHigh2);
  const product = sHigh * head3;
  const productTail = sLow * head3 + tail3 * s;
  const pHigh = clearLowWord(product + productTail);
  const pLow = productTail - (pHigh - product);
  const zHigh = CP_HIGH * pHigh;
  const zLow = CP_LOW * pHigh + pLow * CP + (k === 1 ? LOG2_THREE_HALVES_LOW : 0);
  const shift = k === 1 ? LOG2_THREE_HALVES_HIGH : 0;
  const head = clearLowWord(zHigh + zLow + shift + n);
  return { head, tail: zLow - (head - n - shift - zHigh) };
}

/** log2(ax) for ax within 2^-20 of 1 and a huge exponent: the series is enough there. */
function log2NearOne(ax: number): { head: number; tail: number } {
  const t = ax - 1;
  const w = t * t * (0.5 - t * (0.3333333333333333333333 - t * 0.25));
  const u = INVERSE_LN2_HIGH * t;
  const v = t * INVERSE_LN2_LOW - w * INVERSE_LN2;
  const head = clearLowWord(u + v);
  return { head, tail: v - (head - u) };
}

/** 2^(high + low) for |high + low| < 1,100, where `z` is their sum. */
function exp2Parts(z: number, high: number, low: number): number {
  const size = highWord(z) & 0x7fffffff;
  let n = 0;
  let head = high;
  if (size > 0x3fe00000) {
    n = Math.trunc(z + (z < 0 ? -0.5 : 0.5));
    head = high - n;
  }
  const t = clearLowWord(low + head);
  const u = t * LN2_HIGH;
  const v = (low - (t - head)) * LN2 + t * LN2_LOW;
  const w = u + v;
  const rest = v - (w - u);
  const t2 = w * w;
  const t1 =
    w -
    t2 *
      (1.66666666666666019037e-1 +
        t2 *
          (-2.77777777770155933842e-3 +
            t2 * (6.61375632143793436117e-5 + t2 * (-1.6533902205465251539e-6 + t2 * 4.13813679705723846039e-8))));
  const r = (w * t1) / (t1 - 2) - (rest + w * rest);
  return scale(1 - (r - w), n);
}

/** 0: not an integer, 1: odd, 2: even. */
function parity(y: number): 0 | 1 | 2 {
  const size = Math.abs(y);
  if (size >= 9007199254740992) return 2;
  if (Math.floor(size) !== size) return 0;
  return size % 2 === 0 ? 2 : 1;
}

/** What the standard fixes for zeros, infinities and NaN; undefined for an ordinary pair. */
function special(x: number, y: number): number | undefined {
  if (y === 0) return 1;
  if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
  const ax = Math.abs(x);
  if (Math.abs(y) === Infinity) {
    if (ax === 1) return NaN;
    return ax > 1 === y > 0 ? Infinity : 0;
  }
  if (ax === Infinity || ax === 0) {
    const size = (ax === 0) === y > 0 ? 0 : Infinity;
    const negative = (x < 0 || Object.is(x, -0)) && parity(y) === 1;
    return negative ? -size : size;
  }
  return undefined;
}

/** x^y by ECMAScript's rules for special values. */
export function pow(x: number, y: number): number {
  const known = special(x, y);
  if (known !== undefined) return known;
  const odd = parity(y);
  if (x < 0 && odd === 0) return NaN;
  const sign = x < 0 && odd === 1 ? -1 : 1;
  const ax = Math.abs(x);
  if (ax === 1) return sign;
  let parts: { head: number; tail: number };
  if (Math.abs(y) > 2147483648) {
    if (ax < 0.9999995 || ax > 1.0000005) return ax < 1 === y < 0 ? sign * Infinity : sign * 0;
    parts = log2NearOne(ax);
  } else parts = log2Parts(ax);
  const yHigh = clearLowWord(y);
  const low = (y - yHigh) * parts.head + y * parts.tail;
  const high = yHigh * parts.head;
  const z = low + high;
  if (z > 1024 || (z === 1024 && low + OVERFLOW_TAIL > z - high)) return sign * Infinity;
  if (z < -1075 || (z === -1075 && lowWord(z) === 0 && low <= z - high)) return sign * 0;
  return sign * exp2Parts(z, high, low);
}
