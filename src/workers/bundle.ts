import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type BundleOptions } from '@temporalio/worker';
import { FAILURE_CONVERTER } from '../codec/data-converter.ts';
import { WORKFLOW_INTERCEPTOR_MODULES } from '../telemetry/temporal.ts';

const SOURCES = fileURLToPath(new URL('..', import.meta.url));
/** Folders of src/ that workflow code can reach. */
const REACHED = ['contracts', 'core', 'workflows'];

/**
 * The workflow bundle as a file, made once for each state of the sources and version of the SDK, so that starting a worker
 * costs no bundling. Two processes that bundle at once make the same file.
 * @param encrypted for payloads that are encrypted: the failures of workflows are then payloads, too
 */
export async function workflowBundle(cacheDir: string, onBuild?: () => void, encrypted = false): Promise<string> {
  const file = join(cacheDir, 'workflow-bundles', `${bundleKey()}${encrypted ? '-encrypted' : ''}.js`);
  if (existsSync(file)) return file;
  onBuild?.();
  const options = bundleOptions();
  const { code } = await bundleWorkflowCode(
    encrypted ? { ...options, failureConverterPath: FAILURE_CONVERTER } : options,
  );
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, code);
  renameSync(draft, file);
  return file;
}

/** How the workflows are bundled, for workers, replay and coverage alike. */
export function bundleOptions(): BundleOptions {
  return {
    workflowsPath: join(SOURCES, 'workflows', 'index.ts'),
    workflowInterceptorModules: [...WORKFLOW_INTERCEPTOR_MODULES],
    logger: { trace() {}, debug() {}, info() {}, warn() {}, error: console.error, log() {} },
  };
}

function bundleKey(): string {
  const require = createRequire(import.meta.url);
  const sdk = (require('@temporalio/worker/package.json') as { version: string }).version;
  const hash = createHash('sha256').update(sdk);
  for (const folder of REACHED) {
    const names = readdirSync(join(SOURCES, folder), { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((entry) => entry.endsWith('.ts')).sort()) {
      hash.update(`\0${folder}/${name}\0`).update(readFileSync(join(SOURCES, folder, name)));
    }
  }
  return hash.digest('hex').slice(0, 32);
}
