import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { doctor } from '../../src/devstack/doctor.ts';
import { lockHolder, tryLock } from '../../src/machine/lock.ts';
import { freePort, isFree, isListening, pickPort } from '../../src/devstack/ports.ts';
import { closedFolder, reachableBinaries } from '../../src/devstack/postgres-binary.ts';
import { endProcess, identify, isAlive, isSame } from '../../src/machine/processes.ts';
import { testConfig } from '../helpers/stack.ts';

describe('what the stack knows of the machine', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'chimera-machine-'));
    chmodSync(folder, 0o755);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('a lock is held by one, and by no dead process', () => {
    const path = join(folder, 'lock');
    const first = tryLock(path);
    assert.ok('lock' in first);
    const second = tryLock(path);
    assert.ok('holder' in second);
    assert.equal(second.holder.pid, process.pid);
    first.lock.release();
    assert.equal(lockHolder(path), undefined);

    // The number of a living process, but not the one that took the lock.
    writeFileSync(path, JSON.stringify({ pid: process.pid, started: 'long ago' }));
    const third = tryLock(path);
    assert.ok('lock' in third, 'a stale lock is taken over');
    first.lock.release();
    assert.ok(lockHolder(path), 'a lock that was lost cannot be released');
    third.lock.release();
    writeFileSync(path, 'not even JSON');
    assert.ok('lock' in tryLock(path));
  });

  it('a process is known by more than its number, and ended by the signal that works', async () => {
    const child = spawn('/bin/sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done']);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const pid = child.pid!;
    const id = identify(pid)!;
    assert.ok(isSame(id));
    assert.ok(!isSame({ ...id, started: 'another time' }));
    const gone = await endProcess(pid, [
      { signal: 'SIGTERM', waitMs: 100 },
      { signal: 'SIGKILL', waitMs: 5000 },
    ]);
    assert.ok(gone && !isAlive(pid) && !isSame(id));
    assert.equal(await endProcess(pid, [{ signal: 'SIGTERM', waitMs: 0 }]), true);
  });

  it('a port that is taken is passed over', async () => {
    const taken = await freePort();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(taken, '127.0.0.1', resolve));
    assert.equal(await isFree(taken), false);
    assert.equal(await isListening(taken), true);
    const free = await freePort();
    assert.equal(await pickPort([undefined, 0, taken, free]), free);
    assert.notEqual(await pickPort([taken]), taken);
    await new Promise((resolve) => server.close(resolve));
    assert.equal(await isListening(taken), false);
  });

  it('finds the folder that keeps the user of PostgreSQL out, and copies its programs past it', () => {
    const closed = join(folder, 'closed');
    const tree = join(closed, 'native');
    mkdirSync(join(tree, 'bin'), { recursive: true });
    for (const name of ['postgres', 'initdb']) writeFileSync(join(tree, 'bin', name), name);
    const binaries = {
      postgres: join(tree, 'bin/postgres'),
      initdb: join(tree, 'bin/initdb'),
      version: 'postgres 18.4',
    };
    const other = { uid: 4242, gid: 4242 };
    chmodSync(closed, 0o755);
    assert.equal(closedFolder(binaries.postgres, other), undefined);
    assert.equal(reachableBinaries(binaries, folder, other), binaries, 'nothing is copied without need');
    chmodSync(closed, 0o700);
    assert.equal(closedFolder(binaries.postgres, other), closed);
    assert.equal(closedFolder(binaries.postgres, {}), undefined, 'as ourselves we can');
    const copy = reachableBinaries(binaries, folder, other);
    assert.equal(copy.postgres, join(folder, 'postgres', 'programs-postgres-18.4', 'bin', 'postgres'));
    assert.equal(readFileSync(copy.initdb, 'utf8'), 'initdb');
    assert.deepEqual(reachableBinaries(binaries, folder, other), copy);
  });

  it('the doctor reports what is wrong with an action, and plugs in checks of others', async () => {
    const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const checks = await doctor(testConfig(folder, env), [
      async function sandbox() {
        throw new Error('no seccomp');
      },
      async () => [{ name: 'guard', ok: true, detail: 'fine', action: '' }],
    ]);
    const failed = checks.filter(({ ok }) => !ok).map(({ name }) => name);
    assert.deepEqual(failed.filter((name) => name !== 'environment').sort(), ['PostgreSQL', 'Temporal', 'sandbox']);
    for (const { ok, detail, action } of checks) {
      assert.ok(detail.length > 0);
      assert.equal(action === '', ok);
    }
    assert.match(checks.find(({ name }) => name === 'PostgreSQL')!.detail, /ECONNREFUSED/);
    assert.ok(checks.some(({ name, ok }) => name === 'guard' && ok));

    const well = await doctor(testConfig(folder));
    assert.deepEqual(
      well.filter(({ ok, name }) => !ok && name !== 'environment' && name !== 'disk'),
      [],
    );
  });
});
