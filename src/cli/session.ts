import { Client, Connection } from '@temporalio/client';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChimeraClient } from '../client/index.ts';
import { createDataConverter } from '../codec/data-converter.ts';
import { describeConfig, loadConfig, type Config, type SettingReport } from '../config/config.ts';
import { temporalConnection } from '../config/temporal.ts';
import { ChimeraError } from '../contracts/errors.ts';
import { status, type StackStatus } from '../devstack/status.ts';
import { openArtifacts } from '../stores/artifacts/open.ts';
import { createStores, type Stores } from '../stores/index.ts';
import { clientInterceptors } from '../telemetry/temporal.ts';
import type { Io } from './output.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly debug?: boolean;
  /** Base URL of the API. */
  readonly url?: string;
  /** Settings by their flag keys. */
  readonly [setting: string]: unknown;
}

/** Where the first start leaves the key it made: readable by its owner only. */
export function apiKeyFile(home: string): string {
  return join(home, 'api-key');
}

/** Name under which a running platform publishes the API's address in its state file. */
export const GATEWAY_URL = 'gatewayUrl';

/** What a command works with, each part opened when it is first asked for and closed at the end. */
export class Session {
  readonly io: Io;
  readonly #env: NodeJS.ProcessEnv;
  readonly #closers: (() => Promise<unknown>)[] = [];
  #options: GlobalOptions = {};
  #config: Config | undefined;
  #stores: Stores | undefined;

  constructor(io: Io, env: NodeJS.ProcessEnv) {
    this.io = io;
    this.#env = env;
  }

  /** Called once the command line is parsed. */
  setOptions(options: GlobalOptions): void {
    this.#options = options;
  }

  /** Every setting with its value and where it came from. */
  settings(): SettingReport[] {
    return describeConfig({ flags: this.#options, env: this.#env });
  }

  get json(): boolean {
    return this.#options.json === true;
  }

  get debug(): boolean {
    return this.#options.debug === true;
  }

  get config(): Config {
    return (this.#config ??= loadConfig({ flags: this.#options, env: this.#env }));
  }

  get project(): string {
    return this.config.project;
  }

  /** The stack that runs on this machine, if one does. */
  get stack(): StackStatus | undefined {
    return status(this.config.home);
  }

  /** Prints data: as JSON where asked for, else as `text` makes it readable. */
  print<T>(data: T, text: (data: T) => string): void {
    this.io.out(this.json ? `${JSON.stringify(data, undefined, 2)}\n` : `${text(data)}\n`);
  }

  /** A line for people; with `--json` it goes to standard error, so that the data stays alone. */
  say(text: string): void {
    (this.json ? this.io.err : this.io.out)(`${text}\n`);
  }

  client(): ChimeraClient {
    const apiKey = this.config.apiKey ?? this.#storedKey();
    return new ChimeraClient({
      baseUrl: this.#options.url ?? this.#baseUrl(),
      ...(apiKey === undefined ? {} : { apiKey }),
      retry: { attempts: 3 },
    });
  }

  #baseUrl(): string {
    const published = this.stack?.extra[GATEWAY_URL];
    const { host, port } = this.config.gateway;
    return typeof published === 'string' ? published : `http://${host}:${port}`;
  }

  #storedKey(): string | undefined {
    try {
      return readFileSync(apiKeyFile(this.config.home), 'utf8').trim();
    } catch {
      return undefined;
    }
  }

  /** The stores of the running stack, or of the PostgreSQL that the configuration names. */
  stores(): Stores {
    if (this.#stores !== undefined) return this.#stores;
    const databaseUrl = this.config.databaseUrl ?? this.stack?.databaseUrl;
    if (databaseUrl === undefined) throw this.#notRunning('PostgreSQL');
    this.#stores = createStores({ databaseUrl, artifacts: openArtifacts(this.config.artifacts) });
    this.#closers.push(() => this.#stores!.close());
    return this.#stores;
  }

  /** A Temporal client for the running stack, or for the server that the configuration names. */
  async temporal(): Promise<{ client: Client; connection: Connection }> {
    const named = this.config.temporal.address !== undefined;
    const embedded = named ? undefined : this.stack?.temporal.address;
    if (!named && embedded === undefined) throw this.#notRunning('Temporal');
    const { connectionOptions, namespace } = temporalConnection(this.config, embedded);
    try {
      const connection = await Connection.connect({ ...connectionOptions, connectTimeout: 5_000 });
      this.#closers.push(() => connection.close());
      const dataConverter = createDataConverter(this.config.encryptionKeys);
      const client = new Client({ connection, namespace, dataConverter, interceptors: clientInterceptors() });
      return { connection, client };
    } catch (error) {
      const why = `${connectionOptions.address}: ${(error as Error).message}`;
      throw new ChimeraError('CHIMERA_TEMPORAL_UNAVAILABLE', { why }, { cause: error });
    }
  }

  #notRunning(what: string): ChimeraError {
    return new ChimeraError('CHIMERA_UNREACHABLE', {
      what,
      where: this.config.home,
      why: 'no stack runs on this data directory',
    });
  }

  async close(): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) await close();
  }
}
