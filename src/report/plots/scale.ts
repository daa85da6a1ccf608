/** Scales and ticks of the plots. */

export interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
}

/** Round steps (1, 2, 5 × 10ⁿ) inside [low, high], about `count` of them. */
export function niceTicks(low: number, high: number, count: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999) ?? power * 10;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  // Multiples of the step, not sums: no drift, and 0.30000000000000004 is not a label.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** A linear scale from [low, high] to [from, to]; an empty domain maps to the middle. */
export function linear(low: number, high: number, from: number, to: number, ticks = 5): Scale {
  const map = (value: number): number =>
    high > low ? from + ((value - low) / (high - low)) * (to - from) : (from + to) / 2;
  return Object.assign(map, { ticks: niceTicks(low, high, ticks) });
}

/** A logarithmic scale with a tick at each power of ten (thinned to eight). Values at or below 0 sit at the low end. */
export function logarithmic(low: number, high: number, from: number, to: number): Scale {
  const bottom = Math.floor(Math.log10(low));
  const top = Math.max(bottom + 1, Math.ceil(Math.log10(high)));
  const inner = linear(bottom, top, from, to);
  const step = Math.ceil((top - bottom) / 8);
  const ticks = [];
  for (let power = bottom; power <= top; power += step) ticks.push(10 ** power);
  const map = (value: number): number => inner(value > 0 ? Math.max(bottom, Math.log10(value)) : bottom);
  return Object.assign(map, { ticks });
}

/** The range of `values`, widened by `margin` of itself on both sides; [0, 1] of nothing. */
export function extent(values: readonly number[], margin = 0): [number, number] {
  const finite = values.filter((value) => Number.isFinite(value));
  if (finite.length === 0) return [0, 1];
  let low = Infinity;
  let high = -Infinity;
  for (const value of finite) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const pad = high > low ? (high - low) * margin : Math.max(Math.abs(low) * 0.1, 1e-6);
  return [low - pad, high + pad];
}
