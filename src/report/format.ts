/** Numbers as people read them. A figure that is not a number is a dash. */

const dash = '–';

/** A share in [0, 1] as per cent with one decimal: 97.4 %. */
export function percent(value: number, digits = 1): string {
  return Number.isFinite(value) ? `${(value * 100).toFixed(digits)} %` : dash;
}

/** A share as per cent for an axis: one decimal only where it says something. */
export function tickPercent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

/** At most three significant digits, thousands set apart, millions and more with their letter. */
export function compact(value: number): string {
  if (!Number.isFinite(value)) return dash;
  for (const [size, letter] of [
    [1e12, ' T'],
    [1e9, ' G'],
    [1e6, ' M'],
  ] as const)
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))}${letter}`;
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

/** Seconds as 0.42 s, 12.3 s, 4 min 05 s or 2 h 10 min. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return dash;
  if (seconds < 1) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** The first twelve digits of a hash; other names as they are. */
export function shortId(id: string): string {
  return /^[0-9a-f]{32,}$/.test(id) ? id.slice(0, 12) : id;
}
