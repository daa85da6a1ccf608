/** Seconds between two lines of progress. */
const SECONDS = 10;

/** Counts, the highest first. */
export const listed = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');

/**
 * Says every ten seconds how far a sweep over numbered cases has come, at what rate, how long it still takes, and from which case
 * on it could be gone on with.
 */
export function progressLog(
  count: number,
  log: (line: string) => void,
): (done: number, what: string, next: number) => void {
  const began = performance.now();
  let said = began;
  return (done, what, next) => {
    const now = performance.now();
    if (now < said + 1000 * SECONDS) return;
    said = now;
    const rate = done / ((now - began) / 1000);
    const minutes = Math.ceil((count - done) / rate / 60);
    log(`${what}; ${rate.toFixed(0)} a second, ${minutes} minutes left; --from ${next} goes on from here`);
  };
}
