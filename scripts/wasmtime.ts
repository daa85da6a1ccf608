import { isChimeraError } from '../src/contracts/errors.ts';
import { defaultCacheDir } from '../src/config/paths.ts';
import { fetchWasmtime } from '../src/devstack/wasmtime-library.ts';

/**
 * `npx node scripts/wasmtime.ts`: puts the pinned wasmtime library into the cache, where workers find it. Without it every
 * agent runs on V8, but for those whose manifest asks for wasmtime.
 */
const cacheDir = process.env['CHIMERA_CACHE'] ?? defaultCacheDir(process.env);
try {
  const { path, source } = await fetchWasmtime({ cacheDir, onLine: (line) => console.error(line) });
  console.log(`${path} (${source})`);
} catch (error) {
  if (!isChimeraError(error)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
