import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Machine {
  readonly platform: NodeJS.Platform;
  /** Effective user ID; undefined where the system has none. */
  readonly uid: number | undefined;
  readonly homeDir: string;
}

export function thisMachine(): Machine {
  return { platform: process.platform, uid: process.geteuid?.(), homeDir: homedir() };
}

/**
 * The data directory when nobody names one. Root gets a directory that other users can enter: PostgreSQL refuses to run
 * as root, and the user it runs as instead cannot enter root's home.
 */
export function defaultHome(env: Readonly<Record<string, string | undefined>>, machine = thisMachine()): string {
  if (machine.uid === 0) return '/var/lib/chimera';
  if (machine.platform === 'darwin') return join(machine.homeDir, 'Library', 'Application Support', 'chimera');
  return join(env['XDG_STATE_HOME'] || join(machine.homeDir, '.local', 'state'), 'chimera');
}

/** The cache directory when nobody names one. */
export function defaultCacheDir(env: Readonly<Record<string, string | undefined>>, machine = thisMachine()): string {
  if (machine.platform === 'darwin') return join(machine.homeDir, 'Library', 'Caches', 'chimera');
  return join(env['XDG_CACHE_HOME'] || join(machine.homeDir, '.cache'), 'chimera');
}
