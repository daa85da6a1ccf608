import { Client, Connection } from '@temporalio/client';
import { loadConfig } from '../../src/config/config.ts';
import { temporalConnection } from '../../src/config/temporal.ts';
import { createDispatcher } from '../../src/gateway/dispatcher.ts';
import { createGateway } from '../../src/gateway/server.ts';
import { openArtifacts } from '../../src/stores/artifacts/open.ts';
import { createStores } from '../../src/stores/index.ts';
import { startTelemetry } from '../../src/telemetry/telemetry.ts';
import { clientInterceptors } from '../../src/telemetry/temporal.ts';

/** Gateway and dispatcher as a process of their own, so that a test can kill it. Says `{type: 'ready'}` once it listens. */
const config = loadConfig();
const telemetry = await startTelemetry({ serviceName: 'chimera-gateway', logLevel: config.logLevel });
const stores = createStores({ databaseUrl: config.databaseUrl!, artifacts: openArtifacts(config.artifacts) });
const { connectionOptions, namespace } = temporalConnection(config);
const connection = await Connection.connect(connectionOptions);
const temporal = new Client({ connection, namespace, interceptors: clientInterceptors() });
const gateway = createGateway({ stores, temporal, logger: telemetry.logger });
await gateway.listen(config.gateway);
const ending = new AbortController();
const dispatching = createDispatcher({ stores, temporal, graceMs: 1_000, log: telemetry.logger }).run(ending.signal);

async function stop(): Promise<void> {
  await gateway.close();
  ending.abort();
  await dispatching;
  await stores.close();
  await connection.close();
  await telemetry.shutdown();
  if (process.connected) process.disconnect();
}
process.once('SIGTERM', () => void stop());
process.once('disconnect', () => void stop());
process.send?.({ type: 'ready' });
