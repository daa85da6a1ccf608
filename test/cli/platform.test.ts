import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPlatform, type Platform, type PlatformProgress } from '../../src/cli/platform.ts';
import { apiKeyFile } from '../../src/cli/session.ts';
import { ChimeraClient } from '../../src/client/index.ts';
import { isAlive } from '../../src/machine/processes.ts';
import { status } from '../../src/devstack/status.ts';
import { testConfig, testHome } from '../helpers/stack.ts';
import { run } from './run.ts';

describe('cli: the platform on one machine', function () {
  this.timeout(240_000);
  const home = testHome();
  const config = testConfig(home, { CHIMERA_GATEWAY_PORT: '0', CHIMERA_LOG_LEVEL: 'silent' });
  const script = join(home, 'worker.mjs');
  let platform: Platform | undefined;

  before(() => {
    // A worker that tells what it was given: the real one has tests of its own.
    writeFileSync(
      script,
      `console.log(JSON.stringify(Object.fromEntries(Object.entries(process.env).filter(([k]) => k.startsWith('CHIMERA_')))));
       process.on('disconnect', () => process.exit());
       process.send({ type: 'ready' });
       setInterval(() => {}, 1000);`,
    );
  });
  after(() => platform?.stop());

  const start = async (): Promise<{ platform: Platform; progress: PlatformProgress[] }> => {
    const progress: PlatformProgress[] = [];
    platform = await startPlatform(config, {
      onProgress: (line) => progress.push(line),
      stack: { fast: true, supervise: false },
      workers: { command: [script] },
    });
    return { platform, progress };
  };

  it('starts every part, makes a project and a key, and tells where it is', async () => {
    const { platform: up, progress } = await start();
    const ready = progress.filter(({ state }) => state === 'ready').map(({ part }) => part);
    assert.deepEqual(ready.toSorted(), [
      'artifacts',
      'gateway',
      'key',
      'manifest',
      'postgres',
      'schema',
      'temporal',
      'workers',
    ]);
    assert.equal(readFileSync(apiKeyFile(home), 'utf8').trim(), up.apiKey);
    assert.equal(statSync(apiKeyFile(home)).mode & 0o777, 0o600);
    assert.equal(status(home)?.extra['gatewayUrl'], up.gatewayUrl);
    const client = new ChimeraClient({ baseUrl: up.gatewayUrl, apiKey: up.apiKey });
    assert.deepEqual(await client.taskTypes(), []);
    assert.match(await (await fetch(`${up.gatewayUrl}/metrics`)).text(), /chimera_ingestion_operations_total/);
  });

  it('gives its workers the addresses', () => {
    const given = JSON.parse(readFileSync(join(home, 'logs', 'worker-1.log'), 'utf8').split('\n')[0]!) as Record<
      string,
      string
    >;
    assert.equal(given['CHIMERA_HOME'], home);
    assert.equal(given['CHIMERA_DATABASE_URL'], platform!.stack.databaseUrl);
    assert.equal(given['CHIMERA_TEMPORAL_ADDRESS'], platform!.stack.temporal.address);
    assert.equal(given['CHIMERA_ARTIFACTS_PATH'], join(home, 'artifacts'));
  });

  it('is found by the command without any settings but the data directory', async () => {
    const { code, out } = await run(['task-types', 'list'], { CHIMERA_HOME: home });
    assert.equal(code, 0);
    assert.equal(out, 'none\n');
    const shown = await run(['status', '--json'], { CHIMERA_HOME: home });
    assert.equal((JSON.parse(shown.out) as { running: boolean }).running, true);
    assert.doesNotMatch(shown.out, /postgres(ql)?:\/\//, 'the password of the database is not shown');
  });

  it('stops every part', async () => {
    const { pids } = platform!.workers;
    await platform!.stop();
    assert.ok(pids.every((pid) => !isAlive(pid)));
    assert.equal(status(home), undefined);
    await assert.rejects(fetch(`${platform!.gatewayUrl}/live`));
  });

  it('starts again on what is there, with the same key', async () => {
    const before = readFileSync(apiKeyFile(home), 'utf8');
    const { platform: up, progress } = await start();
    assert.equal(readFileSync(apiKeyFile(home), 'utf8'), before);
    assert.equal(progress.find(({ part }) => part === 'schema')?.message, 'up to date');
    assert.equal(progress.find(({ part, state }) => part === 'manifest' && state === 'ready')?.message, 'up to date');
    await up.stop();
  });

  it('leaves nothing running when a worker cannot start', async () => {
    const failing = join(home, 'failing.mjs');
    writeFileSync(failing, `console.error('cannot'); process.exit(1);`);
    const up = startPlatform(config, { stack: { fast: true, supervise: false }, workers: { command: [failing] } });
    await assert.rejects(up, /worker 1 cannot be set up: it ended with code 1/);
    assert.equal(status(home), undefined);
  });
});
