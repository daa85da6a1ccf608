import type { PlatformProgress } from './platform.ts';

/** One line of progress a part. */
export function progressLine({ part, state, message, ms }: PlatformProgress): string {
  const sign = { working: '·', ready: '✓', warning: '!', stopped: '■' }[state];
  const time = ms === undefined ? '' : `  ${(ms / 1000).toFixed(1)} s`;
  return `${sign} ${part.padEnd(9)} ${message}${time}`;
}
