import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPlatform, type Platform } from '../../src/cli/platform.ts';
import { loadConfig } from '../../src/config/config.ts';
import { untilInterrupted } from '../../src/cli/signals.ts';

/** Settings of the reader's own that are about the machine, not about a stack that may be running on it. */
const KEPT = ['CHIMERA_CACHE', 'XDG_CACHE_HOME', 'HOME', 'CHIMERA_WORKERS', 'CHIMERA_POOL_SIZE'];

/**
 * Runs `work` on a platform of its own: a fresh data directory, free ports, default settings; everything is stopped and
 * removed afterwards, on Ctrl-C too. `signal` is aborted by Ctrl-C.
 */
export async function onTemporaryPlatform<R>(
  log: (line: string) => void,
  work: (platform: Platform, signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const home = mkdtempSync(join(tmpdir(), 'chimera-bench-'));
  // PostgreSQL may run as another user and must be able to pass through.
  chmodSync(home, 0o711);
  const interrupted = untilInterrupted();
  const env = {
    ...Object.fromEntries(KEPT.map((name) => [name, process.env[name]])),
    CHIMERA_HOME: home,
    CHIMERA_TEMPORAL_UI_PORT: '0',
    CHIMERA_GATEWAY_PORT: '0',
  };
  try {
    const begun = performance.now();
    const platform = await startPlatform(loadConfig({ env }), { signal: interrupted.signal });
    log(`platform up after ${seconds(begun)} s`);
    try {
      return await work(platform, interrupted.signal);
    } finally {
      await platform.stop();
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Seconds since `begun` (of `performance.now()`), to a tenth. */
export const seconds = (begun: number): number => Math.round((performance.now() - begun) / 100) / 10;
