import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { invalidInput, type Problem } from '../contracts/errors.ts';
import { parseReachable } from '../effects/http/addresses.ts';
import { defaultCacheDir, defaultHome } from './paths.ts';
import { flagKey, flagName, SETTINGS, type Setting } from './settings.ts';

const port = z.int('must be a whole number').min(0, 'must be 0 to 65535').max(65535, 'must be 0 to 65535');
const positive = z.int('must be a whole number').min(1, 'must be at least 1').max(1024, 'must be at most 1024');
const webUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' });
const keyList = z.string().regex(/^[\w.-]+:[A-Za-z0-9+/]{43}=(,[\w.-]+:[A-Za-z0-9+/]{43}=)*$/, {
  error: 'must be id:base64 of 32 bytes, comma-separated',
});

const entriesOf = (text: string): string[] =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean);

const addressList = z.string().refine(
  (text) => {
    try {
      parseReachable(entriesOf(text));
      return true;
    } catch {
      return false;
    }
  },
  { error: 'must be ADDRESS[/BITS][:PORT], comma-separated, an IPv6 address in [] before a port' },
);

/** The check of each setting, by its key. Values arrive as text from the environment and typed from the file. */
const CHECKS: Record<string, z.ZodType> = {
  project: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be 1 to 64 of a-z, 0-9 and -, beginning with a letter or digit'),
  databaseUrl: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' }),
  'artifacts.s3.endpoint': webUrl,
  'artifacts.s3.bucket': z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be a bucket name (3 to 63 of a-z, 0-9, . and -)'),
  'temporal.address': z.string().regex(/^[^\s/]+:\d{1,5}$/, 'must be host:port'),
  'temporal.namespace': z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'must be a namespace name'),
  'temporal.uiUrl': webUrl,
  temporalUiPort: port,
  'gateway.port': port,
  'telemetry.otlpEndpoint': webUrl,
  'telemetry.metricsPort': port,
  'models.activations': z.enum(['exact', '8bit'], { error: 'must be exact or 8bit' }),
  reachable: addressList,
  'workers.count': positive,
  'workers.poolSize': positive,
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], {
    error: 'must be trace, debug, info, warn, error or silent',
  }),
  encryptionKeys: keyList,
};

const nonEmpty = z.string('must be text').min(1, 'must not be empty');

/** What graphs multiply with 4-bit weights. */
export type Activations = 'exact' | '8bit';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

export type ArtifactsConfig =
  | { readonly kind: 'directory'; readonly path: string }
  | {
      readonly kind: 's3';
      /** Absent: AWS itself. */
      readonly endpoint?: string;
      readonly bucket: string;
      readonly prefix: string;
      readonly region: string;
      /** Absent: the AWS SDK's own chain. */
      readonly credentials?: {
        readonly accessKeyId: string;
        readonly secretAccessKey: string;
        readonly sessionToken?: string;
      };
    };

export interface Config {
  /** Data directory, absolute. */
  readonly home: string;
  readonly cacheDir: string;
  readonly project: string;
  readonly databaseUrl?: string;
  readonly artifacts: ArtifactsConfig;
  readonly temporal: { readonly address?: string; readonly namespace: string; readonly uiUrl?: string };
  readonly temporalUiPort: number;
  readonly gateway: { readonly host: string; readonly port: number };
  readonly apiKey?: string;
  /** The first encrypts, all decrypt; empty: payloads are not encrypted. `key` is base64 of 32 bytes. */
  readonly encryptionKeys: readonly { readonly id: string; readonly key: string }[];
  /** Absent: the manifest that ships with Chimera. */
  readonly manifest?: string;
  /** Base models beside those that ship with Chimera. */
  readonly models: { readonly manifest?: string; readonly activations: Activations };
  /** Private addresses that agents' http effects may reach. */
  readonly reachable: readonly string[];
  readonly workers: { readonly count: number; readonly poolSize: number };
  readonly telemetry: { readonly otlpEndpoint?: string; readonly metricsPort: number };
  readonly logLevel: LogLevel;
}

export interface ConfigSources {
  /** Values by {@link flagKey}; other names are ignored, so a command's whole option object can be given. */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Path of the configuration file; default: `$CHIMERA_CONFIG`, else chimera.yaml where there is one. */
  readonly file?: string;
}

/** Where a value came from and what it is, for `chimera doctor`. */
export interface SettingReport {
  readonly key: string;
  /** Secrets are masked. */
  readonly value: string;
  /** `default`, `chimera.yaml`, `environment NAME` or `flag --name`. */
  readonly source: string;
}

interface Found {
  readonly value: unknown;
  readonly source: string;
}

/**
 * The configuration: defaults < file < environment < flags.
 * @throws {ChimeraError} CHIMERA_INVALID_INPUT that lists every problem of every source, each with source and key
 */
export function loadConfig(sources: ConfigSources = {}): Config {
  return build(collect(sources), sources.env ?? process.env);
}

/** Every setting with its value and source. Throws as {@link loadConfig} does. */
export function describeConfig(sources: ConfigSources = {}): SettingReport[] {
  const values = collect(sources);
  const config = build(values, sources.env ?? process.env);
  return SETTINGS.map((setting) => {
    const found = values.get(setting.key);
    const derived: Record<string, unknown> = {
      home: config.home,
      cacheDir: config.cacheDir,
      'workers.poolSize': config.workers.poolSize,
      'artifacts.path': config.artifacts.kind === 'directory' ? config.artifacts.path : undefined,
      'artifacts.s3.bucket': config.artifacts.kind === 's3' ? config.artifacts.bucket : undefined,
    };
    const value = found?.value ?? derived[setting.key];
    return {
      key: setting.key,
      value: value === undefined ? '' : setting.secret ? mask(setting, String(value)) : String(value),
      source: found?.source ?? 'default',
    };
  });
}

function mask(setting: Setting, value: string): string {
  if (setting.key !== 'databaseUrl') return '********';
  const url = new URL(value);
  if (url.password) url.password = '********';
  return url.toString();
}

function collect({ flags = {}, env = process.env, file }: ConfigSources): Map<string, Found> {
  const problems: Problem[] = [];
  const fromFile = readFile(file ?? env['CHIMERA_CONFIG'], problems);
  const values = new Map<string, Found>();
  const mentioned = new Map<string, string>();
  for (const setting of SETTINGS) {
    const found = lookUp(setting, flags, env, fromFile);
    if (found === undefined) continue;
    mentioned.set(setting.key, found.source);
    const value = setting.kind === 'integer' ? toInteger(found.value) : found.value;
    const checked = nonEmptyOr(setting).safeParse(value);
    if (checked.success) values.set(setting.key, { value, source: found.source });
    else
      for (const issue of checked.error.issues)
        problems.push({
          path: `${found.source}${found.source.includes(' ') ? '' : ` ${setting.key}`}`,
          message: issue.message,
        });
  }
  checkTogether(mentioned, problems);
  if (problems.length > 0) throw invalidInput('the configuration', problems);
  return values;
}

function nonEmptyOr(setting: Setting): z.ZodType {
  return CHECKS[setting.key] ?? nonEmpty;
}

function lookUp(
  setting: Setting,
  flags: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
  file: ReadonlyMap<string, Found>,
): Found | undefined {
  const flag = flags[flagKey(setting.key)];
  if (flag !== undefined) return { value: flag, source: `flag --${flagName(setting.key)}` };
  // An empty variable is an unset one: that is how shells and compose files switch a variable off.
  const name = setting.env.find((candidate) => env[candidate]);
  if (name !== undefined) return { value: env[name], source: `environment ${name}` };
  const inFile = file.get(setting.key);
  if (inFile !== undefined) return inFile;
  return setting.default === undefined ? undefined : { value: setting.default, source: 'default' };
}

function toInteger(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,9}$/.test(value.trim()) ? Number(value) : value;
}

/** Leaves of the YAML file by dotted key. A key that is no setting is a problem: it would be a silent misspelling. */
function readFile(path: string | undefined, problems: Problem[]): ReadonlyMap<string, Found> {
  const values = new Map<string, Found>();
  const name = path ?? 'chimera.yaml';
  if (!existsSync(name)) {
    if (path !== undefined) problems.push({ path: name, message: 'there is no such file' });
    return values;
  }
  let text: string;
  try {
    text = readFileSync(name, 'utf8');
  } catch (error) {
    problems.push({ path: name, message: `cannot be read: ${(error as Error).message}` });
    return values;
  }
  const document = parseDocument(text);
  for (const error of document.errors) problems.push({ path: name, message: error.message.split('\n')[0] ?? '' });
  if (document.errors.length > 0) return values;
  const known = new Set(SETTINGS.map(({ key }) => key));
  const walk = (node: unknown, key: string): void => {
    if (known.has(key)) values.set(key, { value: node, source: name });
    else if (key === '' && node === null) return;
    else if (typeof node === 'object' && node !== null && !Array.isArray(node))
      for (const [child, value] of Object.entries(node)) walk(value, key === '' ? child : `${key}.${child}`);
    else problems.push({ path: `${name} ${key}`.trim(), message: 'is not a setting' });
  };
  walk(document.toJS(), '');
  return values;
}

/** What one setting asks of another; `mentioned` holds the source of each that was given, valid or not. */
function checkTogether(mentioned: ReadonlyMap<string, string>, problems: Problem[]): void {
  if (!mentioned.has('artifacts.s3.endpoint') && !mentioned.has('artifacts.s3.bucket')) return;
  const id = mentioned.get('artifacts.s3.accessKeyId');
  const secret = mentioned.get('artifacts.s3.secretAccessKey');
  if ((id === undefined) === (secret === undefined)) return;
  problems.push({
    path: (id ?? secret)!,
    message: 'the access key and the secret key of S3 go together: set both or neither',
  });
}

function build(values: ReadonlyMap<string, Found>, env: Readonly<Record<string, string | undefined>>): Config {
  const text = (key: string): string | undefined => values.get(key)?.value as string | undefined;
  const integer = (key: string): number => values.get(key)!.value as number;
  const optional = <K extends string>(name: K, value: string | undefined): { [key in K]?: string } =>
    (value === undefined ? {} : { [name]: value }) as { [key in K]?: string };
  const home = resolve(text('home') ?? defaultHome(env));
  return {
    home,
    cacheDir: resolve(text('cacheDir') ?? defaultCacheDir(env)),
    project: text('project')!,
    ...optional('databaseUrl', text('databaseUrl')),
    artifacts: artifactsOf(home, text),
    temporal: {
      ...optional('address', text('temporal.address')),
      namespace: text('temporal.namespace')!,
      ...optional('uiUrl', text('temporal.uiUrl')),
    },
    temporalUiPort: integer('temporalUiPort'),
    gateway: { host: text('gateway.host')!, port: integer('gateway.port') },
    ...optional('apiKey', text('apiKey')),
    encryptionKeys: (text('encryptionKeys') ?? '')
      .split(',')
      .filter(Boolean)
      .map((entry) => ({ id: entry.slice(0, entry.indexOf(':')), key: entry.slice(entry.indexOf(':') + 1) })),
    ...optional('manifest', text('manifest') === undefined ? undefined : resolve(text('manifest')!)),
    models: {
      ...optional('manifest', text('models.manifest') === undefined ? undefined : resolve(text('models.manifest')!)),
      activations: text('models.activations') as Activations,
    },
    reachable: entriesOf(text('reachable') ?? ''),
    workers: {
      count: integer('workers.count'),
      poolSize: (values.get('workers.poolSize')?.value as number | undefined) ?? availableParallelism(),
    },
    telemetry: {
      ...optional('otlpEndpoint', text('telemetry.otlpEndpoint')),
      metricsPort: integer('telemetry.metricsPort'),
    },
    logLevel: text('logLevel') as LogLevel,
  };
}

/** S3 where a bucket or an endpoint is named; AWS variables alone do not switch it on, many machines have them. */
function artifactsOf(home: string, text: (key: string) => string | undefined): ArtifactsConfig {
  const endpoint = text('artifacts.s3.endpoint');
  const bucket = text('artifacts.s3.bucket');
  if (endpoint === undefined && bucket === undefined)
    return { kind: 'directory', path: resolve(text('artifacts.path') ?? join(home, 'artifacts')) };
  const accessKeyId = text('artifacts.s3.accessKeyId');
  const secretAccessKey = text('artifacts.s3.secretAccessKey');
  const sessionToken = text('artifacts.s3.sessionToken');
  return {
    kind: 's3',
    ...(endpoint === undefined ? {} : { endpoint }),
    bucket: bucket ?? 'chimera',
    prefix: text('artifacts.s3.prefix') ?? '',
    region: text('artifacts.s3.region')!,
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }),
  };
}
