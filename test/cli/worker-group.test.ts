import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startWorkers, type WorkerGroup, type WorkerGroupOptions } from '../../src/cli/worker-group.ts';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { isAlive } from '../../src/machine/processes.ts';

describe('cli: worker processes', () => {
  let folder: string;
  let group: WorkerGroup | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'chimera-workers-'));
  });
  afterEach(async () => {
    await group?.stop();
    group = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  /** A worker that does what `body` says. */
  const options = (body: string, more: Partial<WorkerGroupOptions> = {}): WorkerGroupOptions => {
    const script = join(folder, 'worker.mjs');
    writeFileSync(script, `process.on('disconnect', () => process.exit());\n${body}`);
    return { count: 1, command: [script], env: {}, logs: folder, pauseMs: 10, ...more };
  };
  const READY = `process.send({ type: 'ready' }); setInterval(() => {}, 1000);`;

  it('resolves when all are ready, gives them their environment, and stops them', async () => {
    group = await startWorkers(
      options(`console.log('hello from', process.env.PLACE);\n${READY}`, { count: 2, env: { PLACE: 'here' } }),
    );
    const { pids } = group;
    assert.equal(pids.length, 2);
    assert.ok(pids.every((pid) => isAlive(pid)));
    assert.match(readFileSync(join(folder, 'worker-2.log'), 'utf8'), /hello from here/);
    await group.stop();
    assert.ok(pids.every((pid) => !isAlive(pid)));
    assert.deepEqual(group.pids, []);
  });

  /** Tells `count` more tasks each time it is asked, and three that run. */
  const TELLS = `let tasks = 0;
    process.on('message', ({ type, id }) => {
      tasks += Number(process.env.COUNT);
      const text = '# TYPE tasks_total counter\\ntasks_total ' + tasks + '\\n# TYPE running gauge\\nrunning 3\\n';
      if (type === 'metrics') process.send({ type, id, text });
    });
    ${READY}`;

  it('adds up what its workers count, those that are gone included', async () => {
    const { promise: back, resolve } = Promise.withResolvers<void>();
    group = await startWorkers(
      options(TELLS, {
        count: 2,
        env: { COUNT: '5' },
        onProgress: (message) => message.includes('is back') && resolve(),
      }),
    );
    assert.match(await group.metricsText(), /^tasks_total 10\n(.*\n)*running 6$/m);
    process.kill(group.pids[0]!, 'SIGKILL');
    await back;
    assert.match(await group.metricsText(), /^tasks_total 20\n(.*\n)*running 6$/m, '5 before its death, 5 + 10 now');
    await group.stop();
    assert.match(await group.metricsText(), /^tasks_total 20$/m);
    assert.doesNotMatch(await group.metricsText(), /running/);
  });

  it('does not wait for a worker that tells nothing', async () => {
    group = await startWorkers(options(READY));
    assert.equal(await group.metricsText(), '');
  });

  it('starts a dead one again', async () => {
    const told: string[] = [];
    const { promise: back, resolve } = Promise.withResolvers<void>();
    group = await startWorkers(
      options(READY, {
        onProgress: (message) => {
          told.push(message);
          if (message.includes('is back')) resolve();
        },
      }),
    );
    const [first] = group.pids;
    process.kill(first!, 'SIGKILL');
    await back;
    assert.match(told[0]!, /worker 1 died; started again in 10 ms/);
    assert.equal(group.pids.length, 1);
    assert.notEqual(group.pids[0], first);
  });

  it('refuses with the end of the log when one does not start, and leaves none behind', async () => {
    const script = `if (process.env.BAD) { console.error('no such database'); process.exit(3); }\n${READY}`;
    await assert.rejects(startWorkers(options(script, { count: 2, env: { BAD: 'yes' } })), (error) => {
      assert.ok(isChimeraError(error, 'CHIMERA_SETUP'));
      assert.match(error.message, /ended with code 3[\s\S]*no such database/);
      return true;
    });
  });

  it('does not wait for ever for one that never gets ready', async () => {
    const never = startWorkers(options('setInterval(() => {}, 1000);', { readyMs: 200 }));
    await assert.rejects(never, /not ready within 200 ms/);
  });

  it('ends one by force that does not want to stop', async () => {
    group = await startWorkers(options(`process.on('SIGTERM', () => {});\n${READY}`, { stopMs: 50 }));
    const [pid] = group.pids;
    await group.stop();
    assert.ok(!isAlive(pid!));
  });
});
