import assert from 'node:assert/strict';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { TASK_QUEUES } from '../../src/contracts/names.ts';
import { createFabric, type Fabric } from '../../src/fabric/index.ts';
import type { BatchResult } from '../../src/workflows/task-batch.ts';
import { answering } from '../fabric/agents.ts';
import {
  attributesOf,
  failureOf,
  fatten,
  openPlatform,
  sharedPlatform,
  stateText,
  until,
  type TestPlatform,
} from '../helpers/platform.ts';
import { notes, openScene, RIGHT } from './scene.ts';

const payloads = (count: number) => notes(count).map(({ payload }) => payload);

describe('taskBatchWorkflow', () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await sharedPlatform();
  });

  it('runs every task of a batch once, a window of shards at a time, and says how far it is', async () => {
    const scene = await openScene(platform, RIGHT);
    const tasks = await scene.admit(payloads(75), { batch: 'b' });
    const handle = await platform.start('taskBatchWorkflow', {
      project: scene.project,
      batchId: scene.batchId('b'),
      shardSize: 10,
      window: 3,
    });
    const expected = { batchId: scene.batchId('b'), executed: 75, failed: 0 };
    assert.deepEqual(await handle.result(), expected);
    const rows = await platform.stores.executions.range(scene.project, scene.taskType, 0, 100);
    assert.deepEqual(
      rows.map(({ taskId }) => taskId),
      tasks.map(({ taskId }) => taskId),
    );
    assert.ok(rows.every((row, i) => (row.output as { label: string }).label === notes(75)[i]!.expected.label));
    assert.equal((await platform.stores.batches.get(scene.project, scene.batchId('b')))?.state, 'completed');
    assert.equal(await stateText(handle), '**done: 75 tasks executed, 0 failed**');
    const { ChimeraProject, ChimeraTaskType, ChimeraLayer, ChimeraPhase } = await attributesOf(handle);
    assert.deepEqual(
      [ChimeraProject, ChimeraTaskType, ChimeraLayer, ChimeraPhase],
      [scene.project, 'notes', 'distribution', 'done'],
    );
    const { events = [] } = await handle.fetchHistory();
    let running = 0;
    let most = 0;
    for (const event of events ?? []) {
      if (event.activityTaskScheduledEventAttributes?.activityType?.name === 'executeShard') running++;
      if (event.activityTaskCompletedEventAttributes) running = Math.max(0, running - 1);
      most = Math.max(most, running);
    }
    assert.ok(most <= 3, `${most} shards in flight`);
    // The same batch again finds everything done.
    assert.deepEqual(
      await platform.execute('taskBatchWorkflow', { project: scene.project, batchId: scene.batchId('b') }),
      expected,
    );
    assert.equal((await platform.stores.executions.range(scene.project, scene.taskType, 0, 100)).length, 75);
  });

  it('goes on in a new run where its history grows long, and nothing runs twice', async () => {
    const scene = await openScene(platform, RIGHT);
    await scene.admit(payloads(60), { batch: 'long' });
    const input = { project: scene.project, batchId: scene.batchId('long'), shardSize: 1, window: 1 };
    const handle = await platform.start('taskBatchWorkflow', input);
    await fatten(handle);
    assert.deepEqual(await handle.result(), { batchId: scene.batchId('long'), executed: 60, failed: 0 });
    const first = platform.temporal.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId);
    assert.equal((await first.describe()).status.name, 'CONTINUED_AS_NEW');
    assert.equal((await platform.stores.executions.range(scene.project, scene.taskType, 0, 100)).length, 60);
  });

  it('says which batch there is not', async () => {
    const failure = await failureOf(await platform.start('taskBatchWorkflow', { batchId: 'nowhere' }));
    assert.equal(failure.code, 'CHIMERA_NOT_FOUND');
    assert.match(failure.message, /batch named nowhere/);
  });

  describe('with sandboxes that can be made to die', () => {
    let beside: TestPlatform;
    before(async () => {
      beside = await openPlatform({ beside: platform });
      await Promise.all([beside.work('workflows'), beside.work('io')]);
    });

    const misbehaving = (): Fabric =>
      createFabric({
        poolSize: 1,
        entry: fileURLToPath(new URL('../fabric/sandbox-entry.ts', import.meta.url)),
        resolve: (sha256) => platform.stores.artifacts.get({ sha256 }),
      });

    it('makes a dead letter of the task that brings its sandbox down; the others succeed', async () => {
      const scene = await openScene(platform, answering('{"label":"note"}'));
      const all = payloads(40);
      const poison = await scene.admit(
        all.map((payload, i) => (i === 13 ? { ...payload, misbehave: 'die' } : payload)),
        { batch: 'poison' },
      );
      const worker = await beside.ruthlessWorker(TASK_QUEUES.wasm, { fabric: misbehaving() });
      try {
        const done = await beside.execute<BatchResult>('taskBatchWorkflow', {
          project: scene.project,
          batchId: scene.batchId('poison'),
          shardSize: 20,
        });
        assert.deepEqual([done.executed, done.failed], [39, 1]);
      } finally {
        await worker.stop();
      }
      const letters = await platform.stores.deadLetters.list(scene.project);
      assert.deepEqual(
        letters.map(({ taskId, code }) => [taskId, code]),
        [[poison[13]!.taskId, 'CHIMERA_SANDBOX_CRASHED']],
      );
      const { completed, dead } = await platform.stores.tasks.counts(scene.project, scene.taskType);
      assert.deepEqual({ completed, dead }, { completed: 39, dead: 1 });
    });

    it('goes on inside a shard whose worker was shut down, and the result counts all of it', async () => {
      const scene = await openScene(platform, answering('{"label":"note"}'));
      await scene.admit(payloads(400), { batch: 'shut' });
      const stored = async (): Promise<number> =>
        (await platform.stores.executions.range(scene.project, scene.taskType, 0, 400)).length;
      // Runs one chunk; with the next one it waits until it is told to stop.
      const fabric = misbehaving();
      let chunks = 0;
      const run: Fabric['run'] = async (job, call) => {
        if (++chunks > 1 && !call!.signal!.aborted) await once(call!.signal!, 'abort');
        return fabric.run(job, call);
      };
      const first = await beside.ruthlessWorker(TASK_QUEUES.wasm, { fabric: { ...fabric, run } });
      const handle = await beside.start('taskBatchWorkflow', {
        project: scene.project,
        batchId: scene.batchId('shut'),
        shardSize: 400,
      });
      await until('the first chunk', async () => (await stored()) > 0);
      await first.stop();
      const before = await stored();
      assert.equal(before, 128, 'one chunk of 400 tasks was done when the worker stopped');
      const second = await beside.ruthlessWorker(TASK_QUEUES.wasm);
      try {
        assert.deepEqual(await handle.result(), { batchId: scene.batchId('shut'), executed: 400, failed: 0 });
      } finally {
        await second.stop();
      }
      const rows = await platform.stores.executions.range(scene.project, scene.taskType, 0, 400);
      assert.equal(rows.length, 400);
      const firstTime = rows.slice(0, before).map((row) => row.storedAt);
      assert.ok(
        firstTime.every((at) => at <= rows[before]!.storedAt),
        'what was stored was not run again',
      );
    });
  });
});
