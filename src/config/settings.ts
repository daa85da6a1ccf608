/**
 * Every setting there is, once: the configuration, `chimera.yaml`, the environment, the flags, `.env.example` and
 * `chimera doctor` all read this table.
 */

export interface Setting {
  /** Place in the configuration file, and in error messages. */
  readonly key: string;
  /** Environment variables, first one that is set wins. */
  readonly env: readonly string[];
  readonly kind: 'text' | 'integer';
  /** What holds when nobody says anything; absent: the setting is off or is worked out from the machine. */
  readonly default?: string;
  /** Never printed. */
  readonly secret?: boolean;
  /** One line for people. */
  readonly help: string;
}

export const SETTINGS: readonly Setting[] = [
  {
    key: 'home',
    env: ['CHIMERA_HOME'],
    kind: 'text',
    help: "Data directory. Default: the user's state directory; for root /var/lib/chimera",
  },
  {
    key: 'cacheDir',
    env: ['CHIMERA_CACHE'],
    kind: 'text',
    help: "Downloads and builds that can be made again. Default: the user's cache directory",
  },
  { key: 'project', env: ['CHIMERA_PROJECT'], kind: 'text', default: 'default', help: 'Project (tenant)' },
  {
    key: 'databaseUrl',
    env: ['CHIMERA_DATABASE_URL', 'DATABASE_URL'],
    kind: 'text',
    secret: true,
    help: 'PostgreSQL to use, postgres://…; without it an embedded server is started',
  },
  {
    key: 'artifacts.path',
    env: ['CHIMERA_ARTIFACTS_PATH'],
    kind: 'text',
    help: 'Directory of artifacts, when S3 is not configured. Default: artifacts/ in the data directory',
  },
  {
    key: 'artifacts.s3.bucket',
    env: ['CHIMERA_S3_BUCKET', 'S3_BUCKET'],
    kind: 'text',
    help: 'S3 bucket of artifacts; this or an endpoint switches S3 on. Default with an endpoint: chimera',
  },
  {
    key: 'artifacts.s3.endpoint',
    env: ['CHIMERA_S3_ENDPOINT', 'S3_ENDPOINT', 'AWS_ENDPOINT_URL_S3'],
    kind: 'text',
    help: 'S3 service other than AWS, http(s)://…',
  },
  { key: 'artifacts.s3.prefix', env: ['CHIMERA_S3_PREFIX'], kind: 'text', help: 'Prefix of every key in the bucket' },
  {
    key: 'artifacts.s3.region',
    env: ['CHIMERA_S3_REGION', 'AWS_REGION', 'AWS_DEFAULT_REGION'],
    kind: 'text',
    default: 'us-east-1',
    help: 'S3 region',
  },
  {
    key: 'artifacts.s3.accessKeyId',
    env: ['AWS_ACCESS_KEY_ID'],
    kind: 'text',
    secret: true,
    help: "S3 access key; without it the AWS SDK's own chain of credentials holds",
  },
  {
    key: 'artifacts.s3.secretAccessKey',
    env: ['AWS_SECRET_ACCESS_KEY'],
    kind: 'text',
    secret: true,
    help: 'S3 secret key',
  },
  {
    key: 'artifacts.s3.sessionToken',
    env: ['AWS_SESSION_TOKEN'],
    kind: 'text',
    secret: true,
    help: 'S3 session token of temporary credentials',
  },
  {
    key: 'temporal.address',
    env: ['CHIMERA_TEMPORAL_ADDRESS', 'TEMPORAL_ADDRESS'],
    kind: 'text',
    help: 'Temporal server to use, host:port; without it an embedded server is started',
  },
  {
    key: 'temporal.namespace',
    env: ['CHIMERA_TEMPORAL_NAMESPACE', 'TEMPORAL_NAMESPACE'],
    kind: 'text',
    default: 'default',
    help: 'Temporal namespace',
  },
  {
    key: 'temporal.uiUrl',
    env: ['CHIMERA_TEMPORAL_UI_URL'],
    kind: 'text',
    help: 'Web UI of the Temporal server that is used, for the links that are printed',
  },
  {
    key: 'temporalUiPort',
    env: ['CHIMERA_TEMPORAL_UI_PORT'],
    kind: 'integer',
    default: '8233',
    help: 'Port of the embedded Temporal web UI; a free one when it is taken',
  },
  {
    key: 'gateway.host',
    env: ['CHIMERA_GATEWAY_HOST'],
    kind: 'text',
    default: '127.0.0.1',
    help: 'Address the API listens on',
  },
  {
    key: 'gateway.port',
    env: ['CHIMERA_GATEWAY_PORT'],
    kind: 'integer',
    default: '8787',
    help: 'Port of the API; a free one when it is taken',
  },
  {
    key: 'apiKey',
    env: ['CHIMERA_API_KEY'],
    kind: 'text',
    secret: true,
    help: 'API key that the CLI and the SDK send',
  },
  {
    key: 'encryptionKeys',
    env: ['CHIMERA_ENCRYPTION_KEYS'],
    kind: 'text',
    secret: true,
    help: 'Payload encryption, id:base64 of 32 bytes, comma-separated: the first encrypts, all decrypt',
  },
  {
    key: 'manifest',
    env: ['CHIMERA_MANIFEST'],
    kind: 'text',
    help: 'The temporal.yaml to work by: queues, devices, schedules, tools. Default: the one that ships with Chimera',
  },
  {
    key: 'models.manifest',
    env: ['CHIMERA_MODELS_MANIFEST'],
    kind: 'text',
    help: 'A manifest of base models of your own, beside the one that ships with Chimera: models/manifest.json',
  },
  {
    key: 'models.activations',
    env: ['CHIMERA_MODEL_ACTIVATIONS'],
    kind: 'text',
    default: 'exact',
    help: 'What is multiplied with 4-bit weights: exact values, or 8bit ones as in llama.cpp, faster and less exact',
  },
  {
    key: 'reachable',
    env: ['CHIMERA_REACHABLE'],
    kind: 'text',
    help: 'Private addresses that http effects of agents may reach, ADDRESS[/BITS][:PORT], comma-separated; public ones they may',
  },
  {
    key: 'workers.count',
    env: ['CHIMERA_WORKERS'],
    kind: 'integer',
    default: '1',
    help: 'Worker processes of each role on this machine',
  },
  {
    key: 'workers.poolSize',
    env: ['CHIMERA_POOL_SIZE'],
    kind: 'integer',
    help: 'Sandbox processes a worker runs. Default: the number of CPUs',
  },
  {
    key: 'telemetry.otlpEndpoint',
    env: ['CHIMERA_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'],
    kind: 'text',
    help: 'OpenTelemetry collector, http(s)://…; without it no traces are sent',
  },
  {
    key: 'telemetry.metricsPort',
    env: ['CHIMERA_METRICS_PORT'],
    kind: 'integer',
    default: '9464',
    help: 'Port of the Prometheus metrics; 0 picks a free one',
  },
  {
    key: 'logLevel',
    env: ['CHIMERA_LOG_LEVEL'],
    kind: 'text',
    default: 'info',
    help: 'trace, debug, info, warn, error or silent',
  },
];

/** `gateway.port` as the name of a flag: `gateway-port`. */
export function flagName(key: string): string {
  return key.replace(/\./g, '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `gateway.port` as option parsers name the flag's value: `gatewayPort`. */
export function flagKey(key: string): string {
  return key.replace(/\.(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** The text of `.env.example`: every variable, commented out, with its default and its meaning. */
export function envExample(): string {
  const lines = [
    '# Export what you need (set -a; . ./.env). Everything is optional: without any of it Chimera runs on one machine.',
    '# Order: defaults < chimera.yaml ($CHIMERA_CONFIG) < environment < flags.',
    '',
    '# The configuration file. Default: chimera.yaml in the working directory, where there is one',
    '#CHIMERA_CONFIG=',
  ];
  for (const setting of SETTINGS) {
    const [name, ...others] = setting.env;
    const also = others.length > 0 ? ` (also: ${others.join(', ')})` : '';
    lines.push('', `# ${setting.help}${also}`, `#${name}=${setting.default ?? ''}`);
  }
  return `${lines.join('\n')}\n`;
}
