import type { Context } from 'mocha';
import { defaultCacheDir } from '../../../src/config/paths.ts';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { fetchWasmtime } from '../../../src/devstack/wasmtime-library.ts';
import type { CompileForWasmtime } from '../../../src/fabric/wasmtime/engine.ts';

type Found = { path: string } | { why: string };
let found: Promise<Found> | undefined;

/** The pinned library, fetched once into the cache; or the reason why there is none. Looked for once a process. */
export function wasmtimeLibrary(): Promise<Found> {
  return (found ??= find());
}

async function find(): Promise<Found> {
  const cacheDir = process.env['CHIMERA_CACHE'] ?? defaultCacheDir(process.env);
  try {
    return await fetchWasmtime({ cacheDir, onLine: (line) => console.log(`      ${line}`) });
  } catch (error) {
    if (!isChimeraError(error, 'CHIMERA_SETUP')) throw error;
    return { why: error.message };
  }
}

/** Its path, or a skipped suite and a printed line that says why. For `before`. */
export async function libraryOrSkip(context: Context): Promise<string> {
  const found = await wasmtimeLibrary();
  if ('path' in found) return found.path;
  console.log(`      wasmtime is not tested here: ${found.why}`);
  return context.skip();
}

let opened: Promise<CompileForWasmtime> | undefined;

/** The engine in this process, opened once for all suites. */
export async function wasmtimeOrSkip(context: Context): Promise<CompileForWasmtime> {
  const path = await libraryOrSkip(context);
  opened ??= import('../../../src/fabric/wasmtime/engine.ts').then(({ openWasmtime }) => openWasmtime(path));
  return opened;
}
