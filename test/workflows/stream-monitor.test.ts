import assert from 'node:assert/strict';
import { workflowId } from '../../src/contracts/names.ts';
import { attributesOf, fatten, sharedPlatform, stateText, until, type TestPlatform } from '../helpers/platform.ts';
import { NEVER, notes, openScene, RIGHT } from './scene.ts';

describe('streamMonitorWorkflow', function () {
  this.timeout(90_000);
  let platform: TestPlatform;
  before(async () => {
    platform = await sharedPlatform();
  });

  it('scores what feedback has joined, keeps windows, and goes on in a new run', async () => {
    const scene = await openScene(platform, RIGHT);
    const handle = await platform.start('streamMonitorWorkflow', { ...scene.subject, pollMs: 200 });
    const items = notes(130);
    await scene.serve('one', items);
    await until('the stream to be followed', async () => {
      return (await platform.stores.kpi.monitor(scene.project, scene.taskType))?.consumedTo === 130;
    });
    const scores = await platform.stores.scores.range(scene.project, scene.taskType, 0, 200);
    assert.equal(scores.length, 130);
    assert.ok(scores.every(({ correct }) => correct));
    const windows = await platform.stores.kpi.windows(scene.project, scene.taskType);
    assert.deepEqual(
      windows.map(({ fromOrdinal, toOrdinal }) => [fromOrdinal, toOrdinal]),
      [
        [0, 100],
        [100, 200],
      ],
    );
    await until('the state text', async () => /^\*\*130 tasks followed; no drift/.test(await stateText(handle)));
    const { ChimeraLayer, ChimeraPhase, ChimeraTaskType } = await attributesOf(handle);
    assert.deepEqual([ChimeraLayer, ChimeraPhase, ChimeraTaskType], ['kpi', 'watching', 'notes']);

    const first = (await handle.describe()).runId;
    await fatten(handle);
    await until('a new run', async () => {
      const now = await platform.temporal.workflow.getHandle(handle.workflowId).describe();
      return now.runId !== first && now.status.name === 'RUNNING';
    });
    const next = platform.temporal.workflow.getHandle(handle.workflowId);
    await scene.serve('two', notes(20, { from: 130 }));
    await until('the new run to follow', async () => /^\*\*150 tasks/.test(await stateText(next)));
    await next.cancel();
    await assert.rejects(next.result(), (error: Error) => error.cause?.constructor.name === 'CancelledFailure');
    assert.equal((await platform.stores.scores.range(scene.project, scene.taskType, 0, 200)).length, 150);
  });

  it('waits behind the first task that is not resolved, dead ones aside', async () => {
    const scene = await openScene(platform, RIGHT);
    const rows = await scene.admit(
      notes(6).map(({ payload }) => payload),
      { batch: 'gap' },
    );
    const { deadLetters, feedback, kpi } = platform.stores;
    const { taskId, taskType, ordinal } = rows[1]!;
    await deadLetters.put(scene.project, { taskId, taskType, ordinal, code: 'CHIMERA_INTERNAL', reason: 'a test' });
    const handle = await platform.start('streamMonitorWorkflow', { ...scene.subject, pollMs: 100 });
    await platform.execute('taskBatchWorkflow', { project: scene.project, batchId: scene.batchId('gap') });
    const right = (i: number) => ({
      taskId: rows[i]!.taskId,
      feedback: { kind: 'demonstration' as const, value: notes(6)[i]!.expected },
    });
    await feedback.addMany(scene.project, [0, 2, 4, 5].map(right));
    const consumed = async (): Promise<number | undefined> =>
      (await kpi.monitor(scene.project, scene.taskType))?.consumedTo;
    await until('ordinal 3', async () => (await consumed()) === 3);
    await feedback.addMany(scene.project, [right(3)]);
    await until('the end', async () => (await consumed()) === 6);
    assert.equal((await platform.stores.scores.range(scene.project, scene.taskType, 0, 9)).length, 5);
    await handle.cancel();
  });

  it('raises one alarm where the inputs shift, says what moved, and starts a cycle', async () => {
    const scene = await openScene(platform, NEVER);
    const handle = await platform.start('streamMonitorWorkflow', {
      ...scene.subject,
      pollMs: 200,
      startCycles: true,
    });
    await scene.serve('before', notes(400));
    await until('the first part', async () => /^\*\*400 tasks followed; no drift/.test(await stateText(handle)));
    assert.deepEqual(await platform.stores.kpi.driftEvents(scene.project, scene.taskType), []);
    await scene.serve('after', notes(150, { from: 400, pad: 60 }));
    const told = await until('the alarm', async () => {
      const text = await stateText(handle);
      return /drift at ordinal/.test(text) && text;
    });
    assert.match(told, /drift at ordinal [45]\d\d \(p ≤ [\d.e-]+ at any time\): .*length/);
    const events = await platform.stores.kpi.driftEvents(scene.project, scene.taskType);
    assert.equal(events.length, 1);
    assert.ok(events[0]!.ordinal >= 400);
    const id = workflowId.evolutionCycle(scene.project, scene.taskType);
    const cycle = platform.temporal.workflow.getHandle(id);
    await until('the cycle', async () => {
      const text = await stateText(handle);
      return text.includes(`started a cycle: ${id}`);
    });
    assert.ok(['RUNNING', 'COMPLETED', 'FAILED'].includes((await cycle.describe()).status.name));
    await cycle.terminate('the test has seen it').catch(() => undefined);
    await handle.terminate();
  });
});
