import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { identify, isSame, type ProcessId } from './processes.ts';

/** Held by one living process; a holder that was killed holds it no more. */
export interface Lock {
  release(): void;
}

/**
 * Takes the lock file at `path`.
 * @returns the lock, or the process that holds it
 */
export function tryLock(path: string): { readonly lock: Lock } | { readonly holder: ProcessId } {
  const me = identify(process.pid)!;
  // The token tells this taking from an earlier one by the same process.
  const mine = JSON.stringify({ ...me, token: randomUUID() });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, mine);
  try {
    for (;;) {
      try {
        // A hard link is made whole or not at all, so that nobody reads half a lock.
        linkSync(draft, path);
        return { lock: { release: () => releaseIf(path, mine) } };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = lockHolder(path);
      if (holder !== undefined) return { holder };
      removeStale(path);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The living process that holds the lock file; undefined when nobody does. */
export function lockHolder(path: string): ProcessId | undefined {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as ProcessId;
    return isSame(holder) ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Moves a dead lock away. Another starter may have done so and locked since: then its lock is put back. */
function removeStale(path: string): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (lockHolder(aside) !== undefined) {
    try {
      linkSync(aside, path);
    } catch {
      // A third one was quicker; it holds the lock now.
    }
  }
  rmSync(aside, { force: true });
}

function releaseIf(path: string, mine: string): void {
  try {
    if (readFileSync(path, 'utf8') === mine) rmSync(path, { force: true });
  } catch {
    // Gone already.
  }
}
