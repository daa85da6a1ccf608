import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { ChimeraError } from '../contracts/errors.ts';
import { ManagedProcess, type Launch } from './managed-process.ts';
import { closedFolder, type PostgresBinaries, type ServerUser } from './postgres-binary.ts';
import { commandLine, endProcess, isAlive, waitUntil } from '../machine/processes.ts';
import type { Reaper } from './reaper.ts';

const SUPERUSER = 'chimera';
const DATABASE = 'chimera';

export interface PostgresOptions {
  readonly home: string;
  readonly binaries: PostgresBinaries;
  readonly user: ServerUser;
  /** Give up safety against a crash of the machine for speed. For tests. */
  readonly unsafe?: boolean;
}

const root = (home: string): string => join(home, 'postgres');
export const dataDirectory = (home: string): string => join(root(home), 'data');
const passwordFile = (home: string): string => join(root(home), 'password');

/** Is there a cluster in this home already? */
export function isInitialised(home: string): boolean {
  return existsSync(join(dataDirectory(home), 'PG_VERSION'));
}

/**
 * Creates the cluster: locale C (one order of text everywhere), UTF-8, a random password. Made aside and moved into place,
 * so that a kill in the middle leaves nothing.
 */
export async function initialise({ home, binaries, user, unsafe }: PostgresOptions): Promise<void> {
  mkdirSync(root(home), { recursive: true, mode: 0o711 });
  const closed = closedFolder(dataDirectory(home), user);
  if (closed !== undefined) {
    const why = `it cannot run as root, and the user it runs as cannot enter ${closed}; set CHIMERA_HOME to another place`;
    throw new ChimeraError('CHIMERA_SETUP', { what: 'PostgreSQL', why });
  }
  const draft = join(root(home), 'draft');
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  const password = randomBytes(24).toString('base64url');
  const handOver = join(draft, 'password');
  writeFileSync(handOver, password, { mode: 0o600 });
  if (user.uid !== undefined && user.gid !== undefined)
    for (const path of [draft, handOver]) chownSync(path, user.uid, user.gid);
  const args = [
    ...['--pgdata', join(draft, 'data'), '--username', SUPERUSER, '--pwfile', handOver, '--auth', 'scram-sha-256'],
    ...['--locale', 'C', '--encoding', 'UTF8', ...(unsafe === true ? ['--no-sync'] : [])],
  ];
  try {
    await promisify(execFile)(binaries.initdb, args, {
      cwd: draft,
      ...user,
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
    });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new ChimeraError('CHIMERA_SETUP', { what: 'PostgreSQL', why: stderr?.trim() || message }, { cause: error });
  }
  writeFileSync(passwordFile(home), password, { mode: 0o600 });
  renameSync(join(draft, 'data'), dataDirectory(home));
  rmSync(draft, { recursive: true, force: true });
}

/** The URL of a database of the embedded server. */
export function databaseUrl(home: string, port: number, database = DATABASE): string {
  const password = readFileSync(passwordFile(home), 'utf8').trim();
  return `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;
}

/** The embedded server as a process to manage; {@link initialise} comes first. */
export function postgresServer(
  { home, binaries, user, unsafe }: PostgresOptions,
  port: number,
  reaper: Reaper,
  onRestart?: (message: string) => void,
): ManagedProcess {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    // Paths of sockets have a length limit; nobody needs one.
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '128MB',
    log_min_messages: 'warning',
    // A burst of work is over before it forces a checkpoint, after which every page is written whole once more.
    max_wal_size: '4GB',
    // What was committed survives a kill of the server even so: it lies in the system's cache.
    ...(unsafe === true ? { fsync: 'off', full_page_writes: 'off' } : {}),
  };
  const url = databaseUrl(home, port, 'postgres');
  const launch: Launch = {
    name: 'PostgreSQL',
    command: binaries.postgres,
    args: [
      ...['-D', dataDirectory(home), '-p', String(port)],
      ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ],
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' },
    cwd: dataDirectory(home),
    ...user,
    logFile: join(home, 'logs', 'postgres.log'),
    isReady: () => answers(url),
    readyLimitMs: 60_000,
    // "Fast" shutdown: ends open sessions and writes a checkpoint.
    stopSignal: 'SIGINT',
    stopLimitMs: 20_000,
  };
  return new ManagedProcess(launch, reaper, onRestart);
}

/** Does a PostgreSQL answer a query under this URL? */
export async function answers(url: string): Promise<boolean> {
  return (await whyNot(url)) === undefined;
}

/** Why no PostgreSQL answers under this URL; undefined: it does. */
export async function whyNot(url: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
    return undefined;
  } catch (error) {
    return (error as Error).message || (error as NodeJS.ErrnoException).code || String(error);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Creates a database, unless it is there. */
export async function ensureDatabase(home: string, port: number, name = DATABASE): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl(home, port, 'postgres') });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
  return databaseUrl(home, port, name);
}

/** Drops a database and the sessions that are open on it. */
export async function dropDatabase(home: string, port: number, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl(home, port, 'postgres') });
  await client.connect();
  try {
    await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)} WITH (FORCE)`);
  } finally {
    await client.end();
  }
}

/**
 * Ends a server that an earlier, killed stack of this home left running, by its postmaster.pid; a file whose process is a
 * stranger or gone is removed, since PostgreSQL would take a stranger of that number for its own.
 * @returns whether there was one
 */
export async function endOrphan(home: string): Promise<boolean> {
  const file = join(dataDirectory(home), 'postmaster.pid');
  if (!existsSync(file)) return false;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  const ours = pid > 0 && isAlive(pid) && commandLine(pid)?.includes(dataDirectory(home)) === true;
  if (ours)
    await endProcess(pid, [
      { signal: 'SIGINT', waitMs: 10_000 },
      { signal: 'SIGQUIT', waitMs: 5000 },
    ]);
  // The server removes its file as the last thing it does; one that stays belongs to nobody.
  await waitUntil(() => !existsSync(file), ours ? 1000 : 0);
  rmSync(file, { force: true });
  return ours;
}
