import { Connection, type ConnectionOptions } from '@temporalio/client';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SEARCH_ATTRIBUTES } from '../contracts/names.ts';
import { ManagedProcess, type Launch } from './managed-process.ts';
import { isListening } from './ports.ts';
import { commandLine, endProcess } from '../machine/processes.ts';
import type { Reaper } from './reaper.ts';

export interface TemporalServerOptions {
  readonly binary: string;
  readonly home: string;
  readonly port: number;
  /** Absent: no web UI. */
  readonly uiPort?: number;
  readonly namespace: string;
  /** Keep nothing: faster, gone when the server stops. */
  readonly inMemory?: boolean;
  /** Stop it by a kill: its orderly stop takes more than a second. SQLite's journal keeps the state whole. */
  readonly abruptStop?: boolean;
  /** Where the web UI has payloads decoded. */
  readonly codecEndpoint?: string;
}

/**
 * history.transferProcessorMaxPollRPS: its default of 20 adds 100 ms to every activity. The other two switch on fairness
 * keys.
 */
const DYNAMIC_CONFIG = {
  'history.transferProcessorMaxPollRPS': 2000,
  'matching.enableFairness': true,
  'matching.useNewMatcher': true,
} as const;

/** WAL, and no sync a commit: a crash of the machine may lose the last moments of Temporal's own state, never more. */
const SQLITE_PRAGMAS = ['journal_mode=WAL', 'synchronous=1'] as const;

export const dataFile = (home: string): string => join(home, 'temporal', 'temporal.db');

const pidFile = (home: string): string => join(home, 'temporal', 'server.pid');

/** The development server as a process to manage. */
export function temporalServer(
  options: TemporalServerOptions,
  reaper: Reaper,
  onRestart?: (message: string) => void,
): ManagedProcess {
  mkdirSync(join(options.home, 'temporal'), { recursive: true, mode: 0o700 });
  const address = `127.0.0.1:${options.port}`;
  const launch: Launch = {
    name: 'the Temporal server',
    command: options.binary,
    args: serverArguments(options),
    // Nothing of ours: TEMPORAL_* and secrets are no business of the server.
    env: { PATH: process.env['PATH'] ?? '', HOME: options.home },
    cwd: options.home,
    logFile: join(options.home, 'logs', 'temporal.log'),
    pidFile: pidFile(options.home),
    // gRPC waits a second after a refused connection, so it is asked only once the port is open.
    isReady: async () =>
      (await isListening(options.port)) && (await connectProblem({ address }, options.namespace)) === undefined,
    readyLimitMs: 60_000,
    stopSignal: options.abruptStop === true ? 'SIGKILL' : 'SIGTERM',
    stopLimitMs: 10_000,
  };
  return new ManagedProcess(launch, reaper, onRestart);
}

function serverArguments(options: TemporalServerOptions): string[] {
  const each = (flag: string, values: readonly string[]): string[] => values.flatMap((value) => [flag, value]);
  return [
    ...['server', 'start-dev', '--disable-config-file', '--disable-config-env', '--log-level', 'warn'],
    ...['--ip', '127.0.0.1', '--port', String(options.port), '--namespace', options.namespace],
    ...(options.uiPort === undefined ? ['--headless'] : ['--ui-port', String(options.uiPort)]),
    ...(options.codecEndpoint === undefined ? [] : ['--ui-codec-endpoint', options.codecEndpoint]),
    ...(options.inMemory === true
      ? []
      : ['--db-filename', dataFile(options.home), ...each('--sqlite-pragma', SQLITE_PRAGMAS)]),
    ...each(
      '--search-attribute',
      Object.values(SEARCH_ATTRIBUTES).map((name) => `${name}=Keyword`),
    ),
    ...each(
      '--dynamic-config-value',
      Object.entries(DYNAMIC_CONFIG).map(([key, value]) => `${key}=${value}`),
    ),
  ];
}

/** Why no Temporal server that knows the namespace answers there; undefined: one does. */
export async function connectProblem(options: ConnectionOptions, namespace: string): Promise<string | undefined> {
  let connection: Connection | undefined;
  try {
    const open = await Connection.connect({ connectTimeout: 1000, ...options });
    connection = open;
    await open.withDeadline(Date.now() + 1000, () => open.workflowService.describeNamespace({ namespace }));
    return undefined;
  } catch (error) {
    return (error as { details?: string }).details || (error as Error).message;
  } finally {
    await connection?.close().catch(() => {});
  }
}

/**
 * Ends a server that an earlier, killed stack of this home left running.
 * @returns whether there was one
 */
export async function endOrphan(home: string): Promise<boolean> {
  if (!existsSync(pidFile(home))) return false;
  const pid = Number.parseInt(readFileSync(pidFile(home), 'utf8'), 10);
  if (!(pid > 0) || !commandLine(pid)?.includes(dataFile(home))) return false;
  await endProcess(pid, [
    { signal: 'SIGTERM', waitMs: 4000 },
    { signal: 'SIGKILL', waitMs: 5000 },
  ]);
  return true;
}
