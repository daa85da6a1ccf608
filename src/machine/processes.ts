import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A process that may be looked up later: a pid alone may belong to somebody else by then. */
export interface ProcessId {
  readonly pid: number;
  /** When it started, in whatever the system counts; equal for the same process only. */
  readonly started: string;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return !isZombie(pid);
}

/** A dead child whose parent has not asked for its status yet. In containers without an init they stay for ever. */
function isZombie(pid: number): boolean {
  return statFields(pid)?.[0] === 'Z';
}

/** The fields of /proc/PID/stat from the third on (the second may hold spaces); undefined where there is no /proc. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** The identity of a process; undefined when there is none. */
export function identify(pid: number): ProcessId | undefined {
  if (!isAlive(pid)) return undefined;
  const started = statFields(pid)?.[19] ?? ps(pid, 'lstart=');
  return started === undefined ? undefined : { pid, started };
}

export function isSame(process: ProcessId): boolean {
  return identify(process.pid)?.started === process.started;
}

/** The command line of a process; undefined when there is none or it is not ours to see. */
export function commandLine(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() || undefined;
  } catch {
    return process.platform === 'linux' ? undefined : ps(pid, 'command=');
  }
}

function ps(pid: number, field: string): string | undefined {
  try {
    return execFileSync('ps', ['-o', field, '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Waits until `test` holds, asking every `everyMs`. @returns false when `limitMs` have passed first */
export async function waitUntil(
  test: () => boolean | Promise<boolean>,
  limitMs: number,
  everyMs = 20,
): Promise<boolean> {
  const end = performance.now() + limitMs;
  for (;;) {
    if (await test()) return true;
    if (performance.now() >= end) return false;
    await delay(everyMs);
  }
}

/**
 * Ends a process that is not our child: each signal in turn, with its patience, until the process is gone.
 * @returns whether it is gone
 */
export async function endProcess(
  pid: number,
  steps: readonly { readonly signal: NodeJS.Signals; readonly waitMs: number }[],
): Promise<boolean> {
  for (const { signal, waitMs } of steps) {
    try {
      process.kill(pid, signal);
    } catch {
      return !isAlive(pid);
    }
    if (await waitUntil(() => !isAlive(pid), waitMs)) return true;
  }
  return !isAlive(pid);
}
