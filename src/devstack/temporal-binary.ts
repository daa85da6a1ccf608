import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ChimeraError } from '../contracts/errors.ts';
import { goBuild, goVersion } from './go-build.ts';

/** The newest CLI that the Go module proxy can install: later ones carry a replace directive. Pinned in tools/go.mod. */
export const CLI_VERSION = '1.5.1';
const CLI_PACKAGE = 'github.com/temporalio/cli/cmd/temporal';
/** Fairness keys came with this server. */
const MIN_SERVER: readonly [number, number] = [1, 29];
const DOWNLOAD_HOST = 'temporal.download';
const CONNECT_LIMIT_MS = 5000;
const DOWNLOAD_LIMIT_MS = 180_000;

export interface TemporalBinary {
  readonly path: string;
  /** `on PATH`, `cached`, `downloaded` or `built from source`. */
  readonly source: string;
  /** What `temporal --version` says. */
  readonly version: string;
}

export interface FindOptions {
  readonly cacheDir: string;
  readonly pathVariable?: string;
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Look only, neither download nor build. */
  readonly lookOnly?: boolean;
  /** Where the SDK downloads from; tests name a host that does not answer. */
  readonly downloadHost?: { readonly host: string; readonly port: number };
}

/** Where this version's own binary lies in a cache directory. */
export function cachedBinary(cacheDir: string): string {
  return join(cacheDir, 'bin', `temporal-${CLI_VERSION}-${process.platform}-${process.arch}`);
}

/**
 * The Temporal CLI: on PATH → cached → downloaded by the SDK → built from the pinned Go module.
 * @throws {ChimeraError} CHIMERA_SETUP that says what was tried, and why each did not do
 */
export async function findTemporal(options: FindOptions): Promise<TemporalBinary> {
  const tried: string[] = [];
  const accept = async (path: string, source: string): Promise<TemporalBinary | undefined> => {
    const checked = await checkBinary(path);
    if ('version' in checked) return { path, source, version: checked.version };
    tried.push(`${source} (${path}): ${checked.refused}`);
    options.onLine(`not used: ${tried.at(-1)}`);
    return undefined;
  };

  const onPath = which('temporal', options.pathVariable ?? process.env['PATH'] ?? '');
  const found = onPath === undefined ? undefined : await accept(onPath, 'on PATH');
  if (found !== undefined) return found;
  if (onPath === undefined) tried.push('PATH: no temporal on it');

  const cached = cachedBinary(options.cacheDir);
  if (existsSync(cached)) {
    const usable = await accept(cached, 'cached');
    if (usable !== undefined) return usable;
    if (options.lookOnly !== true) rmSync(cached, { force: true });
  } else tried.push('cache: empty');

  if (options.lookOnly !== true) {
    try {
      await download(options, cached);
      const downloaded = await accept(cached, 'downloaded');
      if (downloaded !== undefined) return downloaded;
      rmSync(cached, { force: true });
    } catch (error) {
      tried.push(`download: ${(error as Error).message}`);
      options.onLine(`cannot be downloaded (${(error as Error).message})`);
    }
    if ((await goVersion(options.pathVariable)) === undefined)
      tried.push('build: no Go on PATH (install Go 1.25 or newer)');
    else {
      const ldflags = `-s -w -X github.com/temporalio/cli/temporalcli.Version=${CLI_VERSION}`;
      await goBuild({ ...options, package: CLI_PACKAGE, ldflags, output: cached });
      const built = await accept(cached, 'built from source');
      if (built !== undefined) return built;
    }
  }
  throw new ChimeraError('CHIMERA_SETUP', { what: 'the Temporal server', why: tried.join('; '), tried });
}

/** The version of a Temporal CLI, or why it cannot be used. */
export async function checkBinary(path: string): Promise<{ readonly version: string } | { readonly refused: string }> {
  let version: string;
  try {
    version = (await promisify(execFile)(path, ['--version'], { timeout: 20_000 })).stdout.trim();
  } catch (error) {
    return { refused: `it does not run: ${(error as Error).message.split('\n')[0]}` };
  }
  const server = /Server (\d+)\.(\d+)/.exec(version);
  const major = Number(server?.[1] ?? 0);
  const minor = Number(server?.[2] ?? 0);
  if (major > MIN_SERVER[0] || (major === MIN_SERVER[0] && minor >= MIN_SERVER[1])) return { version };
  return { refused: `it says "${version}", a server from ${MIN_SERVER.join('.')} on is needed` };
}

function which(name: string, pathVariable: string): string | undefined {
  for (const folder of pathVariable.split(delimiter).filter(Boolean)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

async function download(options: FindOptions, target: string): Promise<void> {
  options.onLine(`asking ${options.downloadHost?.host ?? DOWNLOAD_HOST} for the Temporal CLI`);
  await reach(options.downloadHost ?? { host: DOWNLOAD_HOST, port: 443 });
  mkdirSync(join(options.cacheDir, 'bin'), { recursive: true });
  const folder = mkdtempSync(join(options.cacheDir, 'bin', 'download-'));
  try {
    options.onLine('downloading the Temporal CLI');
    const program = fileURLToPath(new URL('temporal-download.ts', import.meta.url));
    await promisify(execFile)(process.execPath, [program, folder], {
      timeout: DOWNLOAD_LIMIT_MS,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const [file] = readdirSync(folder).filter((name) => name.startsWith('temporal'));
    if (file === undefined) throw new Error('the SDK left no file');
    renameSync(join(folder, file), target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Fails unless a connection stands within the limit: behind a firewall the SDK itself would wait for minutes. */
async function reach(target: { readonly host: string; readonly port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(target);
    const timer = setTimeout(() => socket.destroy(new Error('no connection within 5 s')), CONNECT_LIMIT_MS);
    socket.once('connect', () => socket.destroy());
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
