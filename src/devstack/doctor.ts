import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { Config } from '../config/config.ts';
import { temporalConnection } from '../config/temporal.ts';
import { SETTINGS } from '../config/settings.ts';
import { goVersion } from './go-build.ts';
import { lockHolder } from '../machine/lock.ts';
import { isFree } from './ports.ts';
import { closedFolder, postgresBinaries, serverUser } from './postgres-binary.ts';
import { dataDirectory, whyNot } from './postgres-server.ts';
import { status } from './status.ts';
import { findTemporal } from './temporal-binary.ts';
import { connectProblem } from './temporal-server.ts';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly detail: string;
  /** What to do about it; empty where nothing is to do. */
  readonly action: string;
}

/** Looks at one thing; a throw is a failed check. */
export type CheckPlugin = (config: Config) => Promise<Check | readonly Check[]>;

const MIN_NODE = [22, 18] as const;
const MIN_FREE_BYTES = 2 * 1024 ** 3;

/**
 * Looks whether this machine can run the stack, changing nothing. Never throws: what cannot be looked at is a failed
 * check.
 * @param plugins checks of other parts, for example of the sandbox
 */
export async function doctor(config: Config, plugins: readonly CheckPlugin[] = []): Promise<Check[]> {
  const all: readonly CheckPlugin[] = [
    checkNode,
    checkMachine,
    checkEnvironment,
    checkStack,
    checkTemporal,
    checkGo,
    checkPostgres,
    checkArtifacts,
    checkPorts,
    checkDisk,
    ...plugins,
  ];
  const checks = await Promise.all(
    all.map(async (check) => {
      try {
        return await check(config);
      } catch (error) {
        return failed(check.name || 'check', (error as Error).message, 'See the message.');
      }
    }),
  );
  return checks.flat();
}

const passed = (name: string, detail: string): Check => ({ name, ok: true, detail, action: '' });
const failed = (name: string, detail: string, action: string): Check => ({ name, ok: false, detail, action });

async function checkNode(): Promise<Check> {
  const version = process.versions.node;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const ok = major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1]);
  return ok
    ? passed('Node.js', version)
    : failed(
        'Node.js',
        version,
        `Start by ./chimera, which brings its own, or use Node ${MIN_NODE.join('.')} or newer.`,
      );
}

async function checkMachine(): Promise<Check> {
  const memory = (totalmem() / 1024 ** 3).toFixed(1);
  return passed('machine', `${process.platform}-${process.arch}, ${availableParallelism()} CPUs, ${memory} GiB memory`);
}

/** A misspelled variable is silently without effect; here is where one learns of it. */
async function checkEnvironment(): Promise<Check> {
  const known = new Set(['CHIMERA_CONFIG', ...SETTINGS.flatMap(({ env }) => env)]);
  const unknown = Object.keys(process.env).filter((name) => name.startsWith('CHIMERA_') && !known.has(name));
  return unknown.length === 0
    ? passed('environment', 'no unknown CHIMERA_ variables')
    : failed('environment', `no setting reads ${unknown.join(', ')}`, 'Correct the names; .env.example lists all.');
}

async function checkStack({ home }: Config): Promise<Check> {
  const running = status(home);
  if (running !== undefined)
    return passed('stack', `runs in process ${running.owner.pid}, Temporal at ${running.temporal.address}`);
  const holder = lockHolder(join(home, 'stack.lock'));
  return passed(
    'stack',
    holder === undefined ? `not running; data in ${home}` : `process ${holder.pid} is starting one`,
  );
}

async function checkTemporal(config: Config): Promise<Check> {
  const name = 'Temporal';
  if (config.temporal.address !== undefined) {
    const { connectionOptions, namespace } = temporalConnection(config);
    const why = await connectProblem(connectionOptions, namespace);
    return why === undefined
      ? passed(name, `${config.temporal.address}, namespace ${namespace}`)
      : failed(name, `${config.temporal.address}: ${why}`, 'Check TEMPORAL_ADDRESS, namespace and credentials.');
  }
  try {
    const binary = await findTemporal({ cacheDir: config.cacheDir, onLine: () => {}, lookOnly: true });
    return passed(name, `${binary.source}: ${binary.path}, ${binary.version}`);
  } catch {
    return (await goVersion()) === undefined
      ? failed(
          name,
          'no binary here and no Go to build one',
          'Install Go 1.25+ or the Temporal CLI, or set TEMPORAL_ADDRESS.',
        )
      : passed(name, 'will be downloaded, or built with Go (some minutes, once)');
  }
}

async function checkGo(): Promise<Check> {
  const version = await goVersion();
  return passed('Go', version ?? 'not on PATH; needed only where the Temporal CLI cannot be downloaded');
}

async function checkPostgres(config: Config): Promise<Check> {
  const name = 'PostgreSQL';
  if (config.databaseUrl !== undefined) {
    const why = await whyNot(config.databaseUrl);
    return why === undefined
      ? passed(name, 'DATABASE_URL answers')
      : failed(name, `DATABASE_URL: ${why}`, 'Check the URL, the server and its access rules.');
  }
  const { version } = await postgresBinaries();
  const closed = closedFolder(dataDirectory(config.home), await serverUser());
  return closed === undefined
    ? passed(name, `embedded, ${version}`)
    : failed(
        name,
        `its user cannot enter ${closed}`,
        'Set CHIMERA_HOME to a folder that other users can pass through.',
      );
}

async function checkArtifacts({ artifacts }: Config): Promise<Check> {
  if (artifacts.kind === 's3')
    return passed('artifacts', `S3 bucket ${artifacts.bucket} at ${artifacts.endpoint ?? `AWS ${artifacts.region}`}`);
  const folder = nearestExisting(artifacts.path);
  try {
    accessSync(folder, constants.W_OK);
    return passed('artifacts', artifacts.path);
  } catch {
    return failed('artifacts', `${folder} cannot be written`, 'Set CHIMERA_HOME or CHIMERA_ARTIFACTS_PATH.');
  }
}

async function checkPorts(config: Config): Promise<Check[]> {
  const wanted: [string, number, string][] = [['gateway port', config.gateway.port, config.gateway.host]];
  if (config.temporal.address === undefined) wanted.push(['Temporal UI port', config.temporalUiPort, '127.0.0.1']);
  return Promise.all(
    wanted.map(async ([name, port, host]) =>
      passed(name, (await isFree(port, host)) ? `${port} is free` : `${port} is in use; a free one is taken instead`),
    ),
  );
}

async function checkDisk({ home }: Config): Promise<Check> {
  const folder = nearestExisting(home);
  const { bavail, bsize } = statfsSync(folder);
  const free = `${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB free at ${folder}`;
  return bavail * bsize >= MIN_FREE_BYTES
    ? passed('disk', free)
    : failed('disk', free, 'Make room, or set CHIMERA_HOME to another disk.');
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}
