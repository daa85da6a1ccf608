import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DiscoveryResult } from '../../src/workflows/discovery.ts';
import { attributesOf, failureOf, sharedPlatform, stateText, type TestPlatform } from '../helpers/platform.ts';
import { testHome } from '../helpers/stack.ts';
import { openScene, RIGHT } from './scene.ts';

describe('discoveryWorkflow', () => {
  const home = testHome();
  let platform: TestPlatform;
  before(async () => {
    platform = await sharedPlatform();
  });

  it('admits the files of a directory in the order of their names, once, and tells what it refused', async () => {
    const scene = await openScene(platform, RIGHT);
    const path = join(home, 'files');
    mkdirSync(join(path, 'a-folder'), { recursive: true });
    for (const name of ['c', 'a', 'b']) writeFileSync(join(path, name), `text of ${name}`);
    writeFileSync(join(path, 'empty'), '');
    writeFileSync(join(path, 'huge'), 'x'.repeat(30_000));
    const input = { ...scene.subject, source: { kind: 'directory', path }, chunk: 2 };
    const handle = await platform.start('discoveryWorkflow', input);
    const found = (await handle.result()) as DiscoveryResult;
    assert.deepEqual([found.found, found.accepted], [5, 3]);
    assert.deepEqual(
      found.refused.map(({ name }) => name),
      ['empty', 'huge'],
    );
    const tasks = await platform.stores.tasks.ofBatch(scene.project, found.batchId);
    assert.deepEqual(
      tasks.map(({ ordinal, payload }) => [ordinal, (payload as { text: string }).text]),
      [
        [0, 'text of a'],
        [1, 'text of b'],
        [2, 'text of c'],
      ],
    );
    const told = await stateText(handle);
    assert.match(told, /^\*\*3 new of 5 found, 2 refused\*\*/);
    assert.match(told, /- `\+0:0\d` refused empty: \/text /);
    const { ChimeraLayer, ChimeraPhase } = await attributesOf(handle);
    assert.deepEqual([ChimeraLayer, ChimeraPhase], ['ingestion', 'done']);

    // Somebody adds a file: reading again admits that one only.
    writeFileSync(join(path, 'd'), 'text of d');
    const again = await platform.execute<DiscoveryResult>('discoveryWorkflow', input);
    assert.deepEqual([again.found, again.accepted], [6, 1]);
    const batches = await platform.stores.batches.list(scene.project);
    assert.deepEqual(
      batches.map(({ batchId, state, count, first, last }) => ({ batchId, state, count, first, last })).reverse(),
      [
        { batchId: found.batchId, state: 'closed', count: 3, first: 0, last: 2 },
        { batchId: again.batchId, state: 'closed', count: 1, first: 3, last: 3 },
      ],
      'a batch of its own, that the dispatcher takes',
    );
    await platform.execute('taskBatchWorkflow', { project: scene.project, batchId: again.batchId });
    const added = await platform.stores.tasks.ofBatch(scene.project, again.batchId);
    assert.deepEqual(
      added.map(({ state }) => state),
      ['completed'],
    );
    const none = await platform.execute<DiscoveryResult>('discoveryWorkflow', input);
    assert.deepEqual([none.found, none.accepted], [6, 0]);
    assert.deepEqual(
      await platform.execute('taskBatchWorkflow', { project: scene.project, batchId: none.batchId }),
      { batchId: none.batchId, executed: 0, failed: 0 },
      'an empty batch ends',
    );
  });

  it('admits the messages of an mbox', async () => {
    const scene = await openScene(platform, RIGHT);
    const path = join(home, 'box');
    writeFileSync(
      path,
      'From a@example Mon Jan  1\nSubject: one\n\nbuy this\n\nFrom b@example Tue Jan  2\nSubject: two\n\n>From the start\n',
    );
    const result = await platform.execute<DiscoveryResult>('discoveryWorkflow', {
      ...scene.subject,
      source: { kind: 'mbox', path },
    });
    assert.deepEqual([result.found, result.accepted, result.refused], [2, 2, []]);
    const texts = (await platform.stores.tasks.ofBatch(scene.project, result.batchId)).map(
      ({ payload }) => (payload as { text: string }).text,
    );
    assert.deepEqual(texts, ['Subject: one\n\nbuy this\n', 'Subject: two\n\nFrom the start']);
  });

  it('fails at once where there is no such source, and nothing is admitted', async () => {
    const scene = await openScene(platform, RIGHT);
    const failure = await failureOf(
      await platform.start('discoveryWorkflow', {
        ...scene.subject,
        source: { kind: 'directory', path: join(home, 'nowhere') },
      }),
    );
    assert.equal(failure.code, 'CHIMERA_INVALID_INPUT');
    assert.match(failure.message, /\/source\/path: .*ENOENT/);
    assert.equal(await platform.stores.tasks.nextOrdinal(scene.project, scene.taskType), 0);
  });

  it('stops within seconds when cancelled', async () => {
    const scene = await openScene(platform, RIGHT);
    const path = join(home, 'many');
    mkdirSync(path);
    for (let i = 0; i < 400; i++) writeFileSync(join(path, `f${String(i).padStart(4, '0')}`), `text ${i}`);
    const handle = await platform.start('discoveryWorkflow', {
      ...scene.subject,
      source: { kind: 'directory', path },
      chunk: 1,
    });
    await handle.cancel();
    await assert.rejects(handle.result(), (error: Error) => error.cause?.constructor.name === 'CancelledFailure');
  });
});
