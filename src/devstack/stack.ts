import { Connection } from '@temporalio/client';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { temporalConnection } from '../config/temporal.ts';
import { ChimeraError, isChimeraError } from '../contracts/errors.ts';
import { SEARCH_ATTRIBUTES } from '../contracts/names.ts';
import { applySearchAttributes } from '../manifest/apply.ts';
import { tryLock, type Lock } from '../machine/lock.ts';
import type { ManagedProcess } from './managed-process.ts';
import { artifactsPart, postgresPart, temporalPart, type Part, type PartContext } from './parts.ts';
import { identify } from '../machine/processes.ts';
import type { OnProgress, PartName } from './progress.ts';
import { Reaper } from './reaper.ts';
import { readState, status, writeState, type PartStatus, type StackStatus } from './status.ts';

export interface StackOptions {
  readonly onProgress?: OnProgress;
  /** Restart a server that crashes; default true. */
  readonly supervise?: boolean;
  /** For tests: no safety against a crash of the machine. */
  readonly fast?: boolean;
  /** For tests: Temporal keeps nothing and has no web UI. */
  readonly inMemory?: boolean;
  /** Where the Temporal UI has encrypted payloads decoded: the gateway's codec endpoint. */
  readonly codecEndpoint?: string;
  readonly signal?: AbortSignal;
}

/** Faults and restarts of one embedded server; both reject on a server that is not ours. */
export interface ServerControl {
  /** Sends the signal and waits until the process is gone. It stays down until {@link restart}. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Same ports, same data. */
  restart(): Promise<void>;
}

export interface Stack {
  readonly temporal: ServerControl & { readonly address: string; readonly uiUrl?: string; readonly namespace: string };
  readonly postgres: ServerControl;
  readonly databaseUrl: string;
  readonly artifacts: Config['artifacts'];
  readonly parts: readonly PartStatus[];
  /** Adds to what {@link status} shows to other processes, for example the gateway's address. */
  publish(extra: Readonly<Record<string, unknown>>): void;
  /** Stops the embedded servers; state stays. Calling it again does nothing. */
  stop(): Promise<void>;
}

/**
 * Brings up Temporal, PostgreSQL and the artifact directory of one machine and waits until they are healthy. What the
 * configuration names is used instead of an embedded server. State lives in `config.home`.
 * @throws {ChimeraError} CHIMERA_SETUP when a part cannot be brought up (nothing is left running then) or another stack
 *   holds the data directory; CHIMERA_CANCELLED when `signal` aborts; CHIMERA_TEMPORAL_UNAVAILABLE, CHIMERA_STORE_UNAVAILABLE when a named server does not answer
 */
export async function startStack(config: Config, options: StackOptions = {}): Promise<Stack> {
  const onProgress = options.onProgress ?? ((): void => {});
  const lock = claim(config.home);
  const reaper = new Reaper();
  const failed = new AbortController();
  const context: PartContext = {
    config,
    reaper,
    onProgress,
    ports: readState(config.home)?.ports ?? {},
    signal: options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]),
    supervise: options.supervise ?? true,
    fast: options.fast ?? false,
    inMemory: options.inMemory ?? false,
    ...(options.codecEndpoint === undefined ? {} : { codecEndpoint: options.codecEndpoint }),
  };
  const timed = async <T>(part: PartName, start: () => Promise<Part<T>>): Promise<Part<T>> => {
    const begun = performance.now();
    try {
      const up = await start();
      const ms = Math.round(performance.now() - begun);
      onProgress({ part, state: 'ready', message: describePart(up), ms });
      return up;
    } catch (error) {
      const problem = asChimeraError(part, error, options.signal);
      failed.abort(problem);
      throw problem;
    }
  };
  const starting = [
    timed('temporal', () => temporalPart(context).then((part) => withSearchAttributes(part, context))),
    timed('postgres', () => postgresPart(context)),
    timed('artifacts', () => Promise.resolve(artifactsPart(context))),
  ] as const;
  const settled = await Promise.allSettled(starting);
  const processes = settled.flatMap((part) => (part.status === 'fulfilled' ? (part.value.process ?? []) : []));
  if (settled.some((part) => part.status === 'rejected')) {
    await stopAll(processes, reaper, lock);
    throw failed.signal.reason;
  }
  const [temporal, postgres, artifacts] = await Promise.all(starting);
  const parts = [temporal, postgres, artifacts].map(partStatus);
  let state: StackStatus = {
    owner: identify(process.pid)!,
    startedAt: new Date().toISOString(),
    temporal: {
      address: temporal.where.address,
      namespace: config.temporal.namespace,
      ...(temporal.where.uiUrl === undefined ? {} : { uiUrl: temporal.where.uiUrl }),
    },
    databaseUrl: postgres.where.url,
    parts,
    ports: definedOnly({
      temporal: temporal.where.port,
      temporalUi: temporal.where.uiPort,
      postgres: postgres.where.port,
    }),
    extra: {},
  };
  writeState(config.home, state);
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    // Ports stay on record: the next start takes them again.
    writeState(config.home, { ...state, parts: [], extra: {} });
    await stopAll(processes, reaper, lock);
    for (const { name } of parts) onProgress({ part: name, state: 'stopped', message: 'stopped' });
  };
  return {
    temporal: { ...state.temporal, ...control(temporal) },
    postgres: control(postgres),
    databaseUrl: postgres.where.url,
    artifacts: artifacts.where,
    parts,
    publish: (extra) => {
      state = { ...state, extra: { ...state.extra, ...extra } };
      writeState(config.home, state);
    },
    stop: () => (stopping ??= stop()),
  };
}

/** Makes the data directory and takes its lock. */
function claim(home: string): Lock {
  // Others may pass through (PostgreSQL runs as another user where we are root), only its owner may look.
  let taken: ReturnType<typeof tryLock>;
  try {
    mkdirSync(home, { recursive: true, mode: 0o711 });
    mkdirSync(join(home, 'logs'), { recursive: true, mode: 0o700 });
    taken = tryLock(join(home, 'stack.lock'));
  } catch (error) {
    throw asChimeraError('data directory', error);
  }
  if ('lock' in taken) return taken.lock;
  const running = status(home);
  const where = running === undefined ? '' : ` (Temporal at ${running.temporal.address})`;
  const why = `process ${taken.holder.pid} runs a stack on ${home} already${where}; end it by \`chimera down\`, or set another CHIMERA_HOME`;
  throw new ChimeraError('CHIMERA_SETUP', { what: 'the stack', why, pid: taken.holder.pid });
}

function asChimeraError(what: string, error: unknown, signal?: AbortSignal): ChimeraError {
  if (signal?.aborted === true) return new ChimeraError('CHIMERA_CANCELLED', { what: 'the start' }, { cause: error });
  if (isChimeraError(error)) return error;
  return new ChimeraError('CHIMERA_SETUP', { what, why: (error as Error).message }, { cause: error });
}

/** Checks that the server answers and knows our search attributes. A refusal is a warning: `chimera apply` tells more. */
async function withSearchAttributes<T extends { readonly address: string }>(
  part: Part<T>,
  { config, onProgress }: PartContext,
): Promise<Part<T>> {
  const { connectionOptions, namespace } = temporalConnection(config, part.process && part.where.address);
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ ...connectionOptions, connectTimeout: 10_000 });
    const wanted = Object.fromEntries(Object.values(SEARCH_ATTRIBUTES).map((name) => [name, 'Keyword'] as const));
    for (const change of await applySearchAttributes(connection, namespace, wanted))
      if (change.action === 'refused')
        onProgress({ part: 'temporal', state: 'warning', message: `${change.name}: ${change.details.join('; ')}` });
    return part;
  } catch (error) {
    await part.process?.stop();
    if (error instanceof ChimeraError) throw error;
    const why = `${part.where.address}: ${(error as Error).message}`;
    throw new ChimeraError('CHIMERA_TEMPORAL_UNAVAILABLE', { why }, { cause: error });
  } finally {
    await connection?.close().catch(() => {});
  }
}

async function stopAll(processes: readonly ManagedProcess[], reaper: Reaper, lock: Lock): Promise<void> {
  await Promise.allSettled(processes.map((server) => server.stop()));
  reaper.close();
  lock.release();
}

function control(part: Part<unknown>): ServerControl {
  const { process: server } = part;
  if (server !== undefined) return { kill: (signal) => server.kill(signal), restart: () => server.restart() };
  const refuse = (): Promise<never> =>
    Promise.reject(new ChimeraError('CHIMERA_SETUP', { what: part.name, why: `it is not ours: ${part.source}` }));
  return { kill: refuse, restart: refuse };
}

function partStatus(part: Part<unknown>): PartStatus {
  const pid = part.process?.pid;
  const external = part.source === 'TEMPORAL_ADDRESS' || part.source === 'DATABASE_URL';
  return {
    name: part.name,
    source: part.source,
    state: external ? 'external' : 'running',
    ...(pid === undefined ? {} : { pid }),
  };
}

function describePart(part: Part<unknown>): string {
  const where = part.where as { address?: string; uiUrl?: string; path?: string; bucket?: string };
  const place = where.uiUrl ?? where.address ?? where.path ?? where.bucket;
  return `${part.source}${place === undefined ? '' : `, ${place}`}`;
}

function definedOnly(ports: Record<string, number | undefined>): Record<string, number> {
  return Object.fromEntries(Object.entries(ports).filter((entry): entry is [string, number] => entry[1] !== undefined));
}
