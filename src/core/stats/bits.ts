/** The IEEE 754 bits of a double, for the ports in math.ts and pow.ts. Little-endian by choice, not by machine. */
const view = new DataView(new ArrayBuffer(8));

/** The high 32 bits (sign, exponent, top of the fraction) as a signed integer. */
export function highWord(x: number): number {
  view.setFloat64(0, x, true);
  return view.getInt32(4, true);
}

/** The low 32 bits as an unsigned integer. */
export function lowWord(x: number): number {
  view.setFloat64(0, x, true);
  return view.getUint32(0, true);
}

/** `x` with its high 32 bits replaced. */
export function withHighWord(x: number, high: number): number {
  view.setFloat64(0, x, true);
  view.setInt32(4, high, true);
  return view.getFloat64(0, true);
}

/** `x` with its low 32 bits set to zero. */
export function clearLowWord(x: number): number {
  view.setFloat64(0, x, true);
  view.setUint32(0, 0, true);
  return view.getFloat64(0, true);
}

/** 2^k for −1022 ≤ k ≤ 1023, exact. */
function powerOfTwo(k: number): number {
  view.setUint32(0, 0, true);
  view.setInt32(4, (k + 1023) << 20, true);
  return view.getFloat64(0, true);
}

/** x · 2^k, rounded once (also where the result is subnormal), for |k| ≤ 2,100. */
export function scale(x: number, k: number): number {
  let y = x;
  let n = k;
  for (; n > 1023; n -= 1023) y *= powerOfTwo(1023);
  // Steps of 2^-969 (not 2^-1022) keep 53 bits until the last product, so that it alone rounds.
  for (; n < -1022; n += 969) y *= powerOfTwo(-969);
  return y * powerOfTwo(n);
}
