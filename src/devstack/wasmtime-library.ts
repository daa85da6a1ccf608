import { hash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ChimeraError } from '../contracts/errors.ts';
import { WASMTIME_VERSION, wasmtimeBuild, wasmtimePath } from '../fabric/wasmtime/release.ts';
import type { WasmtimeBuild } from '../fabric/wasmtime/release.ts';
import { downloadWheel } from '../machine/pip.ts';
import { unzip } from '../machine/unzip.ts';

const DOWNLOAD_LIMIT_MS = 180_000;

export interface FetchOptions {
  readonly cacheDir: string;
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal;
  /** The environment of pip, for tests. */
  readonly env?: NodeJS.ProcessEnv;
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
    const wheel = await downloadWheel({
      requirement: `wasmtime==${WASMTIME_VERSION}`,
      platform: build.tag,
      folder: draft,
      limitMs: DOWNLOAD_LIMIT_MS,
      onLine: options.onLine,
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    }).catch((error: Error) => {
      throw setup(error.message, error);
    });
    pinned(readFileSync(wheel), build.wheelSha256, basename(wheel));
    const library = pinned(await buffer(await unzip(wheel, build.member)), build.librarySha256, build.member);
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
