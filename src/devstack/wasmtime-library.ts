import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ChimeraError } from '../contracts/errors.ts';
import { WASMTIME_VERSION, wasmtimeBuild, wasmtimePath } from '../fabric/wasmtime/release.ts';
import type { WasmtimeBuild } from '../fabric/wasmtime/release.ts';
import { unzip } from './unzip.ts';

const DOWNLOAD_LIMIT_MS = 180_000;
/** Ways to call pip, in the order in which they are tried. */
const PIPS: readonly (readonly [string, ...string[]])[] = [['pip3'], ['pip'], ['python3', '-m', 'pip']];

export interface FetchOptions {
  readonly cacheDir: string;
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal;
  readonly pathVariable?: string;
  /** What to fetch instead of this machine's build, for tests. */
  readonly build?: WasmtimeBuild;
}

export interface WasmtimeLibrary {
  readonly path: string;
  readonly source: 'cached' | 'downloaded';
}

/**
 * The pinned wasmtime library: cached, else out of the wheel that pip downloads from the index it is configured with.
 * Wheel and library must have the hashes that are pinned; what has not is removed and never loaded.
 * @throws {ChimeraError} CHIMERA_SETUP that says why there is none; the platform does without, on the V8 engine
 */
export async function fetchWasmtime(options: FetchOptions): Promise<WasmtimeLibrary> {
  const build = options.build ?? wasmtimeBuild();
  if (build === undefined) throw setup(`there is no build for ${process.platform}-${process.arch}`);
  const path = wasmtimePath(options.cacheDir);
  if (existsSync(path)) {
    if (sha256(readFileSync(path)) === build.librarySha256) return { path, source: 'cached' };
    options.onLine(`not used: ${path} is not the pinned library; it is removed`);
    rmSync(path);
  }
  mkdirSync(dirname(path), { recursive: true });
  const draft = mkdtempSync(join(dirname(path), 'wasmtime-'));
  try {
    await download(draft, build, options);
    const [name] = readdirSync(draft);
    if (name === undefined) throw setup('pip left no file');
    const wheel = pinned(readFileSync(join(draft, name)), build.wheelSha256, name);
    const library = pinned(unzip(wheel, build.member), build.librarySha256, build.member);
    writeFileSync(join(draft, 'library'), library);
    renameSync(join(draft, 'library'), path);
    return { path, source: 'downloaded' };
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

const sha256 = (bytes: Uint8Array): string => hash('sha256', bytes);

function setup(why: string, cause?: unknown): ChimeraError {
  return new ChimeraError('CHIMERA_SETUP', { what: `wasmtime ${WASMTIME_VERSION}`, why }, { cause });
}

function pinned(bytes: Buffer, expected: string, what: string): Buffer {
  const actual = sha256(bytes);
  if (actual !== expected) throw setup(`${what} has SHA-256 ${actual}, pinned is ${expected}; it was removed`);
  return bytes;
}

async function download(folder: string, { tag }: WasmtimeBuild, options: FetchOptions): Promise<void> {
  const { onLine, signal, pathVariable } = options;
  const wanted = ['--no-deps', '--only-binary=:all:', '--platform', tag, '--dest', folder];
  const tried: string[] = [];
  for (const [program, ...first] of PIPS) {
    try {
      onLine(`fetching wasmtime ${WASMTIME_VERSION} with ${[program, ...first].join(' ')}`);
      await promisify(execFile)(program, [...first, 'download', `wasmtime==${WASMTIME_VERSION}`, ...wanted], {
        timeout: DOWNLOAD_LIMIT_MS,
        ...(signal === undefined ? {} : { signal }),
        ...(pathVariable === undefined ? {} : { env: { ...process.env, PATH: pathVariable } }),
      });
      return;
    } catch (error) {
      const { code, stderr } = error as { code?: unknown; stderr?: string };
      const missing = code === 'ENOENT' || (stderr?.includes('No module named pip') ?? false);
      // A pip that is there and fails says what is wrong; another one would only say it again.
      if (!missing) throw setup(`pip cannot download it: ${lastLine(stderr) ?? String(error)}`, error);
      tried.push([program, ...first].join(' '));
    }
  }
  throw setup(`none of ${tried.join(', ')} is there; install Python with pip`);
}

const lastLine = (text: string | undefined): string | undefined => text?.trim().split('\n').at(-1) || undefined;
