import { Client, Connection } from '@temporalio/client';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { createDataConverter } from '../codec/data-converter.ts';
import type { Config } from '../config/config.ts';
import { temporalConnection } from '../config/temporal.ts';
import { startStack, type Stack, type StackOptions } from '../devstack/stack.ts';
import type { PartName, Progress } from '../devstack/progress.ts';
import { pickPort } from '../devstack/ports.ts';
import { EncryptionCodec } from '../codec/payload-codec.ts';
import { wasmtimePath } from '../fabric/wasmtime/release.ts';
import { createDispatcher } from '../gateway/dispatcher.ts';
import { CODEC_PATH } from '../gateway/routes/codec.ts';
import { servedModels } from '../gateway/openai/served.ts';
import { createUsageRecorder } from '../gateway/openai/usage.ts';
import { createGateway } from '../gateway/server.ts';
import { openLearning } from '../learning/learning.ts';
import { loadModels } from '../learning/registry/manifest.ts';
import { loadProviders } from '../learning/remote/load.ts';
import { applyManifest } from '../manifest/apply.ts';
import { loadManifest } from '../manifest/manifest.ts';
import { openArtifacts } from '../stores/artifacts/open.ts';
import { createStores, type Stores } from '../stores/index.ts';
import { mergeMetrics } from '../telemetry/merge.ts';
import { startTelemetry, type Telemetry } from '../telemetry/telemetry.ts';
import { clientInterceptors } from '../telemetry/temporal.ts';
import { apiKeyFile, GATEWAY_URL } from './session.ts';
import { startWorkers, type WorkerGroup, type WorkerGroupOptions } from './worker-group.ts';

export interface PlatformProgress {
  readonly part: PartName | 'stack' | 'schema' | 'key' | 'manifest' | 'gateway' | 'workers';
  readonly state: Progress['state'];
  readonly message: string;
  readonly ms?: number;
}

export interface PlatformOptions {
  readonly onProgress?: (progress: PlatformProgress) => void;
  readonly signal?: AbortSignal;
  /** For tests: passed on to the embedded servers. */
  readonly stack?: Omit<StackOptions, 'onProgress' | 'signal'>;
  /** For tests: another program than the worker. */
  readonly workers?: Pick<WorkerGroupOptions, 'command' | 'readyMs'>;
}

export interface Platform {
  readonly config: Config;
  readonly stack: Stack;
  readonly stores: Stores;
  readonly temporal: Client;
  /** Base URL of the API. */
  readonly gatewayUrl: string;
  readonly apiKey: string;
  readonly workers: WorkerGroup;
  readonly telemetry: Telemetry;
  /** Prometheus text of this process and all workers as one. */
  metricsText(): Promise<string>;
  /** Stops everything in order: no new work, workers, stores, servers. Calling it again does nothing. */
  stop(): Promise<void>;
}

/** What stops a part, newest first. */
type Undo = () => Promise<unknown>;

/**
 * Everything on one machine: embedded stack, schema, project and key, manifest, gateway with dispatcher, workers.
 * @throws {ChimeraError} what the part that failed throws; nothing is left running then
 */
export async function startPlatform(config: Config, options: PlatformOptions = {}): Promise<Platform> {
  const undo: Undo[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= unwind(undo));
  try {
    return { ...(await bringUp(config, options, undo)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function unwind(undo: Undo[]): Promise<void> {
  // One part that does not stop must not keep the others up.
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step().catch(() => undefined);
}

async function bringUp(config: Config, options: PlatformOptions, undo: Undo[]): Promise<Omit<Platform, 'stop'>> {
  const { onProgress = (): void => {}, signal } = options;
  const step = async <T>(part: PlatformProgress['part'], work: () => Promise<[T, string]>): Promise<T> => {
    signal?.throwIfAborted();
    const begun = performance.now();
    const [result, message] = await work();
    onProgress({ part, state: 'ready', message, ms: Math.round(performance.now() - begun) });
    return result;
  };

  const gatewayPort = await pickPort([config.gateway.port], config.gateway.host);
  const encrypted = config.encryptionKeys.length > 0;
  const stack = await startStack(config, {
    ...options.stack,
    onProgress,
    // The UI's page asks from the browser of this machine.
    ...(encrypted ? { codecEndpoint: `http://${reachable(config.gateway.host)}:${gatewayPort}${CODEC_PATH}` } : {}),
    ...(signal === undefined ? {} : { signal }),
  });
  undo.push(() => stack.stop());

  const telemetry = await startTelemetry({
    serviceName: 'chimera-gateway',
    logLevel: config.logLevel,
    logDestination: pino.destination({ dest: join(config.home, 'logs', 'gateway.log'), append: true, sync: true }),
    ...(config.telemetry.otlpEndpoint === undefined ? {} : { otlpEndpoint: config.telemetry.otlpEndpoint }),
  });
  undo.push(() => telemetry.shutdown());

  const stores = createStores({ databaseUrl: stack.databaseUrl, artifacts: openArtifacts(stack.artifacts) });
  undo.push(() => stores.close());
  await step('schema', async () => {
    const applied = await stores.migrate();
    return [undefined, applied.length === 0 ? 'up to date' : `${applied.length} migrations applied`];
  });
  const apiKey = await step('key', () => ensureKey(stores, config));

  const embedded = config.temporal.address === undefined ? stack.temporal.address : undefined;
  const { connectionOptions, namespace } = temporalConnection(config, embedded);
  const connection = await Connection.connect(connectionOptions);
  undo.push(() => connection.close());
  const dataConverter = createDataConverter(config.encryptionKeys);
  const temporal = new Client({ connection, namespace, dataConverter, interceptors: clientInterceptors() });
  await step('manifest', async () => {
    const changes = await applyManifest(loadManifest(config.manifest), connection, { namespace, dataConverter });
    for (const { action, resource, name, details } of changes)
      if (action === 'refused')
        onProgress({ part: 'manifest', state: 'warning', message: `${resource} ${name}: ${details.join('; ')}` });
    const changed = changes.filter(({ action }) => action === 'created' || action === 'updated').length;
    return [undefined, changed === 0 ? 'up to date' : `${changed} of ${changes.length} resources changed`];
  });

  let group: WorkerGroup | undefined;
  const metricsText = async (): Promise<string> =>
    mergeMetrics([await telemetry.metricsText(), (await group?.metricsText()) ?? '']);
  const gatewayUrl = await step('gateway', async () => {
    const url = await listen({ config, stack, stores, temporal, telemetry, metricsText, gatewayPort }, undo);
    stack.publish({ [GATEWAY_URL]: url });
    return [url, url];
  });

  const workers = await step('workers', async () => {
    const started: WorkerGroup = await startWorkers({
      count: config.workers.count,
      env: workerEnvironment(config, stack),
      logs: join(config.home, 'logs'),
      onProgress: (message) => {
        onProgress({ part: 'workers', state: 'warning', message });
        stack.publish({ workers: started.pids });
      },
      ...options.workers,
    });
    group = started;
    undo.push(() => started.stop());
    stack.publish({ workers: started.pids });
    return [started, `${started.pids.length} running`];
  });
  return { config, stack, stores, temporal, gatewayUrl, apiKey, workers, telemetry, metricsText };
}

interface GatewayParts {
  readonly config: Config;
  readonly stack: Stack;
  readonly stores: Stores;
  readonly temporal: Client;
  readonly telemetry: Telemetry;
  readonly metricsText: () => Promise<string>;
  readonly gatewayPort: number;
}

/** Gateway and dispatcher in this process. Returns the base URL. */
async function listen(parts: GatewayParts, undo: Undo[]): Promise<string> {
  const { config, stack, stores, temporal, telemetry, metricsText, gatewayPort } = parts;
  const { uiUrl, namespace } = stack.temporal;
  const learning = openLearning({
    cacheDir: config.cacheDir,
    models: loadModels(config.models.manifest),
    activations: config.models.activations,
    resolve: (sha256) => stores.artifacts.get({ sha256 }),
    onLine: (line) => telemetry.logger.info({ line }, 'base model'),
  });
  undo.push(() => learning.close());
  const providers = loadProviders(loadManifest(config.manifest).providers, process.env);
  const usage = createUsageRecorder(stores, telemetry.logger);
  undo.push(() => usage.settle());
  const gateway = createGateway({
    stores,
    temporal,
    config: {
      ...(uiUrl === undefined ? {} : { ui: { url: uiUrl, namespace } }),
      wasmtime: wasmtimePath(config.cacheDir),
      ...(config.encryptionKeys.length === 0
        ? {}
        : { codec: { codec: new EncryptionCodec(config.encryptionKeys), project: config.project } }),
    },
    metrics: metricsText,
    logger: telemetry.logger,
    inference: {
      service: learning.inference,
      models: (project) => servedModels(stores, project),
      providers,
      onCost: usage.record,
    },
  });
  const { host } = config.gateway;
  const url = await gateway.listen({ host, port: gatewayPort });
  undo.push(() => gateway.close());
  const ending = new AbortController();
  const running = createDispatcher({ stores, temporal, graceMs: 1_000, log: telemetry.logger }).run(ending.signal);
  undo.push(() => {
    ending.abort();
    return running;
  });
  return url;
}

/** Where this machine reaches what listens on `host`. */
const reachable = (host: string): string => (host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host);

/** The project, and the key that the commands on this machine use; made once, readable by its owner only. */
async function ensureKey(stores: Stores, { home, project, apiKey: configured }: Config): Promise<[string, string]> {
  await stores.projects.ensure(project);
  const file = apiKeyFile(home);
  const kept = configured ?? (existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined);
  if (kept !== undefined && (await stores.apiKeys.verify(kept))?.project === project)
    return [kept, configured === undefined ? file : 'from the configuration'];
  // Names are taken for ever, and the key of an earlier database is worth nothing.
  const taken = new Set((await stores.apiKeys.list(project)).map(({ name }) => name));
  let name = 'local';
  for (let n = 2; taken.has(name); n += 1) name = `local-${n}`;
  const { key } = await stores.apiKeys.create(project, name);
  writeFileSync(file, `${key}\n`, { mode: 0o600 });
  return [key, `made "${name}", kept in ${file}`];
}

/** What a worker needs to find the same stack with the same configuration. */
export function workerEnvironment(config: Config, stack: Stack): Record<string, string> {
  const { artifacts } = stack;
  return {
    CHIMERA_HOME: config.home,
    CHIMERA_CACHE: config.cacheDir,
    // Half of a worker's start is compiling modules: Node keeps the result between starts.
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(config.cacheDir, 'compiled'),
    CHIMERA_PROJECT: config.project,
    CHIMERA_DATABASE_URL: stack.databaseUrl,
    CHIMERA_TEMPORAL_ADDRESS: stack.temporal.address,
    CHIMERA_TEMPORAL_NAMESPACE: stack.temporal.namespace,
    CHIMERA_POOL_SIZE: String(config.workers.poolSize),
    CHIMERA_REACHABLE: config.reachable.join(','),
    ...(config.manifest === undefined ? {} : { CHIMERA_MANIFEST: config.manifest }),
    ...(config.models.manifest === undefined ? {} : { CHIMERA_MODELS_MANIFEST: config.models.manifest }),
    CHIMERA_LOG_LEVEL: config.logLevel,
    // Workers share the machine: each takes a free port.
    CHIMERA_METRICS_PORT: '0',
    CHIMERA_ENCRYPTION_KEYS: config.encryptionKeys.map(({ id, key }) => `${id}:${key}`).join(','),
    ...(config.telemetry.otlpEndpoint === undefined ? {} : { CHIMERA_OTLP_ENDPOINT: config.telemetry.otlpEndpoint }),
    ...(artifacts.kind === 'directory'
      ? { CHIMERA_ARTIFACTS_PATH: artifacts.path }
      : {
          CHIMERA_S3_BUCKET: artifacts.bucket,
          CHIMERA_S3_PREFIX: artifacts.prefix,
          CHIMERA_S3_REGION: artifacts.region,
          ...(artifacts.endpoint === undefined ? {} : { CHIMERA_S3_ENDPOINT: artifacts.endpoint }),
          ...(artifacts.credentials === undefined
            ? {}
            : {
                AWS_ACCESS_KEY_ID: artifacts.credentials.accessKeyId,
                AWS_SECRET_ACCESS_KEY: artifacts.credentials.secretAccessKey,
                ...(artifacts.credentials.sessionToken === undefined
                  ? {}
                  : { AWS_SESSION_TOKEN: artifacts.credentials.sessionToken }),
              }),
        }),
  };
}
