import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type Config } from '../../src/config/config.ts';
import { dropDatabase, ensureDatabase } from '../../src/devstack/postgres-server.ts';
import { isAlive } from '../../src/machine/processes.ts';
import { startStack, type Stack, type StackOptions } from '../../src/devstack/stack.ts';
import { stopAtEnd } from './hooks.ts';

export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

export interface TestStack {
  readonly stack: Stack;
  readonly config: Config;
  readonly temporalAddress: string;
  readonly namespace: string;
  readonly artifactsDir: string;
  /** An empty database of its own. */
  createDatabase(): Promise<TestDatabase>;
  /** Stops the servers and removes the data. Called at the end of the run for whoever forgets. */
  stop(): Promise<void>;
}

export interface TestStackOptions {
  /** Temporal keeps its state on disk, so that it survives a kill. Costs throughput. */
  readonly durable?: boolean;
}

const FOLDER = /^chimera-test-(\d+)-/;

/** A data directory that goes at the end of the run. Others may pass through it: PostgreSQL may run as another user. */
export function testHome(): string {
  const home = mkdtempSync(join(tmpdir(), `chimera-test-${process.pid}-`));
  chmodSync(home, 0o711);
  stopAtEnd(() => Promise.resolve(rmSync(home, { recursive: true, force: true })));
  return home;
}

/** A configuration that hears of nothing but `env`, the shared cache of downloads apart. */
export function testConfig(home: string, env: Readonly<Record<string, string>> = {}): Config {
  const cache = process.env['CHIMERA_CACHE'];
  return loadConfig({
    env: {
      CHIMERA_HOME: home,
      // A free port: the printed one may belong to a stack that somebody uses.
      CHIMERA_TEMPORAL_UI_PORT: '0',
      ...(cache === undefined ? {} : { CHIMERA_CACHE: cache }),
      ...env,
    },
  });
}

/** A stack of its own, for tests that kill its servers. Crashes are not answered by restarts. */
export async function startTestStack(options: TestStackOptions = {}): Promise<TestStack> {
  removeLeftovers();
  const config = testConfig(testHome());
  const settings: StackOptions = { fast: true, inMemory: options.durable !== true, supervise: false };
  const stack = await startStack(config, settings);
  stopAtEnd(() => stack.stop());
  if (config.artifacts.kind !== 'directory') throw new Error('the test stack keeps artifacts in a directory');
  const port = Number(new URL(stack.databaseUrl).port);
  return {
    stack,
    config,
    temporalAddress: stack.temporal.address,
    namespace: stack.temporal.namespace,
    artifactsDir: config.artifacts.path,
    createDatabase: async () => {
      const name = `test_${randomBytes(6).toString('hex')}`;
      return { url: await ensureDatabase(config.home, port, name), drop: () => dropDatabase(config.home, port, name) };
    },
    stop: async () => {
      await stack.stop();
      rmSync(config.home, { recursive: true, force: true });
    },
  };
}

let shared: Promise<TestStack> | undefined;

/** The stack that all tests of this process share, brought up when first asked for. */
export function testStack(): Promise<TestStack> {
  return (shared ??= startTestStack());
}

/** A prefix for task queue names, so that suites on the shared stack do not take each other's work. */
export function queuePrefix(): string {
  return `t${randomBytes(4).toString('hex')}-`;
}

/** Data of runs that were killed. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = FOLDER.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}
