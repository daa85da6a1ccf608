import { createServer } from 'node:net';
import { Client, Connection } from '@temporalio/client';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { commandLine, isAlive, waitUntil } from '../../src/machine/processes.ts';
import type { Progress } from '../../src/devstack/progress.ts';
import { startStack, type Stack } from '../../src/devstack/stack.ts';
import { readState, status, stopRunning } from '../../src/devstack/status.ts';
import { testConfig, testHome, testStack } from '../helpers/stack.ts';

const OWNER = fileURLToPath(new URL('stack-owner.ts', import.meta.url));

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function withClient<T>(address: string, use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

const startOne = (address: string): Promise<unknown> =>
  withClient(address, (client) => client.workflow.start('none', { workflowId: 'kept', taskQueue: 'nobody', args: [] }));
const isKept = (address: string): Promise<boolean> =>
  withClient(address, async (client) => (await client.workflow.getHandle('kept').describe()).status.name === 'RUNNING');

describe('the embedded stack', () => {
  const home = testHome();
  const config = testConfig(home);
  const fast = { fast: true, supervise: false };
  let stack: Stack | undefined;
  let owner: ChildProcess | undefined;

  const startOwner = async (): Promise<ChildProcess> => {
    owner = spawn(process.execPath, [OWNER, home], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(owner.stdout!, 'data');
    return owner;
  };

  after(async () => {
    await stack?.stop();
    if (owner?.exitCode === null) owner.kill('SIGTERM');
  });

  it('comes up healthy, shows itself to other processes, and stops cleanly', async () => {
    const progress: Progress[] = [];
    // Nobody else may come to the usual port between two starts: this stack's first one must choose another.
    const usual = createServer().on('error', () => undefined);
    await new Promise<void>((resolve) => usual.listen(7233, '127.0.0.1', resolve).on('error', () => resolve()));
    stack = await startStack(config, { supervise: false, onProgress: (line) => progress.push(line) });
    usual.close();
    const [{ encoding, collation }] = (await query(
      stack.databaseUrl,
      `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collation FROM pg_database WHERE datname = 'chimera'`,
    )) as [{ encoding: string; collation: string }];
    assert.deepEqual([encoding, collation], ['UTF8', 'C']);
    await query(stack.databaseUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await startOne(stack.temporal.address);
    const page = await fetch(stack.temporal.uiUrl!);
    assert.equal(page.status, 200, 'the web UI answers');

    const seen = status(home);
    assert.equal(seen?.owner.pid, process.pid);
    assert.equal(seen?.temporal.address, stack.temporal.address);
    assert.deepEqual(
      progress
        .filter(({ state }) => state === 'ready')
        .map(({ part }) => part)
        .sort(),
      ['artifacts', 'postgres', 'temporal'],
    );
    const pids = stack.parts.flatMap(({ pid }) => pid ?? []);
    assert.equal(pids.length, 2);
    await stack.stop();
    await stack.stop();
    assert.deepEqual(pids.filter(isAlive), []);
    assert.equal(status(home), undefined);
  });

  it('keeps state and ports over a restart, and says so', async () => {
    const before = readState(home)!;
    const lines: string[] = [];
    stack = await startStack(config, { ...fast, onProgress: ({ message }) => lines.push(message) });
    assert.deepEqual(await query(stack.databaseUrl, 'SELECT answer FROM kept'), [{ answer: 42 }]);
    assert.equal(await isKept(stack.temporal.address), true);
    assert.deepEqual(readState(home)!.ports, before.ports);
    assert.ok(lines.includes('starting, with the data of the last time'), lines.join('\n'));
    assert.ok(
      stack.parts.every(({ source }) => /kept/.test(source)),
      JSON.stringify(stack.parts),
    );
  });

  it('lets one stack at a time hold a data directory', async () => {
    await assert.rejects(startStack(config, fast), (error) => {
      assert.ok(isChimeraError(error, 'CHIMERA_SETUP'));
      assert.match(error.message, new RegExp(`process ${process.pid} runs a stack on ${home} already`));
      return true;
    });
    assert.equal(status(home)?.owner.pid, process.pid, 'the first is not disturbed');
  });

  it('serves on the same ports with the same state after a kill of Temporal or PostgreSQL', async () => {
    const { temporal, postgres, databaseUrl } = stack!;
    await Promise.all([temporal.kill('SIGKILL'), postgres.kill('SIGKILL')]);
    await assert.rejects(query(databaseUrl, 'SELECT 1'), /ECONNREFUSED/);
    await Promise.all([temporal.restart(), postgres.restart()]);
    assert.deepEqual(await query(databaseUrl, 'SELECT answer FROM kept'), [{ answer: 42 }]);
    assert.equal(await isKept(temporal.address), true);
    await stack!.stop();
  });

  it('restarts a server that crashes while it is watched', async () => {
    const back = new Promise<void>((resolve, reject) => {
      const onProgress = ({ state, message }: Progress): void => {
        if (state === 'warning')
          (message.endsWith('is back') ? resolve : message.includes('starting it again') ? String : reject)();
      };
      startStack(config, { fast: true, onProgress }).then((started) => {
        stack = started;
        process.kill(started.parts.find(({ name }) => name === 'postgres')!.pid!, 'SIGKILL');
      }, reject);
    });
    await back;
    assert.deepEqual(await query(stack!.databaseUrl, 'SELECT answer FROM kept'), [{ answer: 42 }]);
    await stack!.stop();
  });

  it('comes up after a kill -9 of the process that held it', async () => {
    const killed = await startOwner();
    const { parts, extra } = status(home)!;
    assert.deepEqual(extra, { gateway: 'http://127.0.0.1:1' });
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    assert.equal(status(home), undefined);
    stack = await startStack(config, fast);
    assert.deepEqual(
      parts.flatMap(({ pid }) => (pid !== undefined && isAlive(pid) ? [pid] : [])),
      [],
      'no orphan is left',
    );
    assert.deepEqual(await query(stack.databaseUrl, 'SELECT answer FROM kept'), [{ answer: 42 }]);
    assert.equal(await isKept(stack.temporal.address), true);
    await stack.stop();
  });

  it('leaves no server behind a killed process, even without a next start', async () => {
    const killed = await startOwner();
    const pids = status(home)!.parts.flatMap(({ pid }) => pid ?? []);
    killed.kill('SIGKILL');
    assert.ok(await waitUntil(() => !pids.some(isAlive), 15_000), 'the servers ended by themselves');
  });

  it('does not touch a stranger that has the number of an old server', async () => {
    const stranger = spawn('sleep', ['60']);
    try {
      writeFileSync(join(home, 'postgres', 'data', 'postmaster.pid'), `${stranger.pid}\n`);
      writeFileSync(join(home, 'temporal', 'server.pid'), String(stranger.pid));
      stack = await startStack(config, fast);
      assert.match(commandLine(stranger.pid!) ?? '', /^sleep/);
      await stack.stop();
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  it('is stopped by another process', async () => {
    const running = await startOwner();
    const ended = once(running, 'exit');
    assert.equal(await stopRunning(home), true);
    assert.deepEqual(await ended, [0, null]);
    assert.equal(await stopRunning(home), false);
  });

  it('uses the servers that the configuration names, and leaves them alone', async () => {
    const shared = await testStack();
    const database = await shared.createDatabase();
    const env = { DATABASE_URL: database.url, TEMPORAL_ADDRESS: shared.temporalAddress };
    const named = await startStack(testConfig(testHome(), env), fast);
    assert.deepEqual(
      named.parts.map(({ source, state }) => [source, state]),
      [
        ['TEMPORAL_ADDRESS', 'external'],
        ['DATABASE_URL', 'external'],
        ['directory', 'running'],
      ],
    );
    await assert.rejects(named.postgres.kill('SIGKILL'), /not ours/);
    await named.stop();
    assert.deepEqual(await query(database.url, 'SELECT 1 AS one'), [{ one: 1 }]);
    await database.drop();
  });

  it('says why a data directory cannot be made', async () => {
    await assert.rejects(startStack({ ...config, home: '/dev/null/chimera' }, fast), (error) =>
      isChimeraError(error, 'CHIMERA_SETUP'),
    );
  });

  it('fails with the reason when a named server does not answer, and leaves nothing running', async () => {
    const away = testHome();
    const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
    await assert.rejects(startStack(testConfig(away, env), { ...fast, inMemory: true }), (error) =>
      isChimeraError(error, 'CHIMERA_STORE_UNAVAILABLE'),
    );
    const pid = Number(readFileSync(join(away, 'temporal', 'server.pid'), 'utf8'));
    assert.equal(isAlive(pid), false);
    const { databaseUrl, temporal } = (await testStack()).stack;
    const next = await startStack(
      testConfig(away, { DATABASE_URL: databaseUrl, TEMPORAL_ADDRESS: temporal.address }),
      fast,
    );
    await next.stop();
  });
});
