import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config/config.ts';
import { temporalConnection } from '../config/temporal.ts';
import { ChimeraError, isChimeraError } from '../contracts/errors.ts';
import { useNativeSha256 } from '../fabric/native-sha256.ts';
import { loadManifest, MANIFEST_FILE } from '../manifest/manifest.ts';
import { openArtifacts } from '../stores/artifacts/open.ts';
import { createStores } from '../stores/index.ts';
import { startTelemetry } from '../telemetry/telemetry.ts';
import { startWorkers } from './runtime.ts';

/**
 * A worker process: `node src/workers/main.ts --role all|workflows|io|wasm|device:<class>`. Configuration comes from the
 * file and the environment. Tells a parent process `{type: 'ready'}` once it polls, and its metrics when that asks with
 * `{type: 'metrics', id}`. SIGTERM and SIGINT drain it.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { role: { type: 'string', default: 'all' }, 'queue-prefix': { type: 'string', default: '' } },
  });
  useNativeSha256();
  const config = loadConfig();
  if (config.databaseUrl === undefined) {
    throw new ChimeraError('CHIMERA_SETUP', { what: 'a worker', why: 'DATABASE_URL is not set' });
  }
  const telemetry = await startTelemetry({
    serviceName: `chimera-worker-${values.role}`,
    logLevel: config.logLevel,
    ...(config.telemetry.otlpEndpoint === undefined ? {} : { otlpEndpoint: config.telemetry.otlpEndpoint }),
  });
  const stores = createStores({
    databaseUrl: config.databaseUrl,
    artifacts: openArtifacts(config.artifacts),
  });
  const { connectionOptions, namespace } = temporalConnection(config);
  const close = async (): Promise<void> => {
    await stores.close();
    await telemetry.shutdown();
    if (process.connected) process.disconnect();
  };
  const workers = await startWorkers({
    role: values.role,
    queuePrefix: values['queue-prefix'],
    manifest: loadManifest(config.manifest),
    toolsFolder: dirname(config.manifest ?? MANIFEST_FILE),
    reachable: config.reachable,
    stores,
    telemetry,
    connection: connectionOptions,
    namespace,
    cacheDir: config.cacheDir,
    ...(config.models.manifest === undefined ? {} : { modelsManifest: config.models.manifest }),
    poolSize: config.workers.poolSize,
    encryptionKeys: config.encryptionKeys,
  }).catch(async (error: unknown) => {
    // What is open would keep the process alive.
    await close();
    throw error;
  });
  const stop = (): void => void workers.stop();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  // A worker whose parent is gone has nobody who would stop it.
  process.once('disconnect', stop);
  process.on('message', (message: { type?: unknown; id?: unknown } | null) => {
    if (message?.type !== 'metrics') return;
    void telemetry.metricsText().then((text) => process.send?.({ type: 'metrics', id: message.id, text }));
  });
  process.send?.({ type: 'ready' });
  telemetry.logger.info({ role: values.role }, 'worker polls');
  try {
    await workers.done;
  } finally {
    await workers.stop();
    await close();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${isChimeraError(error) ? error.message : String((error as Error).stack ?? error)}\n`);
  process.exitCode = 1;
});
