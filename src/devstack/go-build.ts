import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ChimeraError } from '../contracts/errors.ts';
import { tryLock } from '../machine/lock.ts';

const TOOLS = fileURLToPath(new URL('../../tools/', import.meta.url));

/** The version of Go on PATH, for example `go1.26.8`; undefined where there is none. */
export async function goVersion(pathVariable?: string): Promise<string | undefined> {
  try {
    return (await promisify(execFile)('go', ['env', 'GOVERSION'], where(pathVariable))).stdout.trim();
  } catch {
    return undefined;
  }
}

function where(pathVariable: string | undefined): { readonly cwd: string; readonly env: NodeJS.ProcessEnv } {
  return { cwd: TOOLS, env: pathVariable === undefined ? process.env : { ...process.env, PATH: pathVariable } };
}

export interface GoBuild {
  /** Import path of the command; its version is pinned in tools/go.mod. */
  readonly package: string;
  readonly ldflags?: string;
  readonly output: string;
  /** Hears a line at most once a second. */
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal;
  readonly pathVariable?: string;
}

/**
 * Builds a command of the pinned Go modules, unless it is there. One process builds, others wait for it.
 * @throws {ChimeraError} CHIMERA_SETUP with the compiler's last lines
 */
export async function goBuild(build: GoBuild): Promise<void> {
  mkdirSync(dirname(build.output), { recursive: true });
  const lockFile = `${build.output}.lock`;
  for (let waits = 0; ; waits++) {
    if (existsSync(build.output)) return;
    const taken = tryLock(lockFile);
    if ('lock' in taken) {
      try {
        return await compile(build);
      } finally {
        taken.lock.release();
      }
    }
    if (waits % 50 === 0) build.onLine(`process ${taken.holder.pid} is building it already, waiting`);
    await delay(200, undefined, build.signal === undefined ? {} : { signal: build.signal });
  }
}

async function compile(build: GoBuild): Promise<void> {
  const started = performance.now();
  const say = limiter(build.onLine, started);
  say(`fetching modules and building ${build.package} (some minutes, once)`);
  const total = await countPackages(build, say);
  const draft = `${build.output}.${process.pid}`;
  const args = ['build', '-v', '-o', draft, '-ldflags', build.ldflags ?? '-s -w', build.package];
  const child = spawn('go', args, {
    ...where(build.pathVariable),
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(build.signal === undefined ? {} : { signal: build.signal }),
  });
  const last: string[] = [];
  let done = 0;
  let rest = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      last.push(line);
      if (last.length > 12) last.shift();
      if (!line.startsWith('go: ')) done++;
      say(line.startsWith('go: ') ? line : `compiled ${done} of about ${total} packages`);
    }
  });
  const failure = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code === 0 ? undefined : `go build ended with ${code}\n${last.join('\n')}`));
  });
  if (failure !== undefined) {
    rmSync(draft, { force: true });
    throw new ChimeraError('CHIMERA_SETUP', { what: build.package, why: failure });
  }
  renameSync(draft, build.output);
}

/** How many packages a build compiles at most; fetches the modules on the way. */
async function countPackages({ package: name, pathVariable }: GoBuild, say: (line: string) => void): Promise<number> {
  const listing = promisify(execFile)('go', ['list', '-deps', name], {
    ...where(pathVariable),
    maxBuffer: 16 * 1024 * 1024,
  });
  listing.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => say(chunk.trim().split('\n').at(-1) ?? ''));
  try {
    return (await listing).stdout.trim().split('\n').length;
  } catch (error) {
    throw new ChimeraError('CHIMERA_SETUP', { what: name, why: (error as Error).message }, { cause: error });
  }
}

/** At most a line a second, with the time it took so far. */
function limiter(onLine: (line: string) => void, started: number): (line: string) => void {
  let next = 0;
  return (line) => {
    const now = performance.now();
    if (now < next) return;
    next = now + 1000;
    onLine(`${line} (${Math.round((now - started) / 1000)} s)`);
  };
}
