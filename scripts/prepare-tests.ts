import { defaultCacheDir } from '../src/config/paths.ts';
import { findTemporal } from '../src/devstack/temporal-binary.ts';
import { wasmtimeLibrary } from '../test/fabric/wasmtime/library.ts';
import { s3Binary } from '../test/stores/versitygw.ts';
import { workflowBundle } from '../src/workers/bundle.ts';

/**
 * What the tests need and is made once a machine or once a change: the Temporal server's binary (a Go build of some minutes
 * where it cannot be downloaded), an S3 server where Go is present, wasmtime where pip is, and the workflow bundle. None fits
 * into the time of a single test.
 */
const cacheDir = defaultCacheDir(process.env);
const onLine = (line: string): void => void process.stderr.write(`${line}\n`);
const temporal = await findTemporal({ cacheDir, onLine });
onLine(`temporal ${temporal.version} (${temporal.source})`);
await s3Binary();
const wasmtime = await wasmtimeLibrary();
if ('why' in wasmtime) onLine(wasmtime.why);
await workflowBundle(cacheDir, () => onLine('bundling the workflows'));
