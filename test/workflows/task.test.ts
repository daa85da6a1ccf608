import assert from 'node:assert/strict';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TaskResult } from '../../src/activities/task-outcome.ts';
import { compileGenome } from '../../src/core/evolution/compile.ts';
import { createDispatcher } from '../../src/gateway/dispatcher.ts';
import { artifactKey } from '../../src/stores/index.ts';
import { answering } from '../fabric/agents.ts';
import { attributesOf, failureOf, sharedPlatform, stateText, until, type TestPlatform } from '../helpers/platform.ts';
import { notes, openScene, RIGHT, type Scene } from './scene.ts';

describe('taskWorkflow', () => {
  let platform: TestPlatform;
  let scene: Scene;

  before(async () => {
    platform = await sharedPlatform();
    scene = await openScene(platform, RIGHT);
  });

  const admitOne = async (on: Scene) => (await on.admit(notes(1).map(({ payload }) => payload)))[0]!;

  it('runs a task that was accepted already, and running it again changes nothing', async () => {
    const task = await admitOne(scene);
    const run = (): Promise<TaskResult> =>
      platform.execute('taskWorkflow', { project: scene.project, taskId: task.taskId });
    const result = await run();
    assert.equal(result.status, 'completed');
    assert.deepEqual((result.output as { label: string }).label, notes(1)[0]!.expected.label);
    assert.equal(result.agentVersion, task.routing.served);
    assert.ok(result.fuel > 0);
    assert.deepEqual(await run(), result);
    const rows = await platform.stores.executions.forTask(scene.project, task.taskId);
    assert.deepEqual(
      rows.map(({ fuel, role }) => ({ fuel, role })),
      [{ fuel: result.fuel, role: 'served' }],
    );
    assert.equal((await platform.stores.tasks.get(scene.project, task.taskId))?.state, 'completed');
  });

  it('takes a task from the Temporal UI, writes its row, and tells what it does', async () => {
    const [note] = notes(1, { from: 7 });
    const input = { ...scene.subject, payload: note!.payload, key: 'from-ui' };
    const handle = await platform.start('taskWorkflow', input);
    const result = (await handle.result()) as TaskResult;
    assert.equal((result.output as { label: string }).label, note!.expected.label);
    const row = await platform.stores.tasks.byKey(scene.project, 'from-ui');
    assert.equal(row?.taskId, result.taskId);
    assert.match(await stateText(handle), /^\*\*completed: task \d+ by version [0-9a-f]{8}\*\*$/);
    assert.deepEqual(await attributesOf(handle), {
      ChimeraProject: scene.project,
      ChimeraTaskType: 'notes',
      ChimeraLayer: 'execution',
      ChimeraPhase: 'completed',
      BuildIds: (await attributesOf(handle))['BuildIds'],
    });
    const waiting = await platform.stores.tasks.undispatched(1000);
    assert.ok(!waiting.some(({ taskId }) => taskId === result.taskId), 'nobody else runs it');
    // The same key is the same task, with another body a conflict.
    assert.equal((await platform.execute<TaskResult>('taskWorkflow', input)).taskId, result.taskId);
    const other = await platform.start('taskWorkflow', { ...input, payload: { text: 'another' } });
    assert.equal((await failureOf(other)).code, 'CHIMERA_CONFLICT');
  });

  it('refuses a payload that breaks the schema, naming every problem, and admits nothing', async () => {
    const before = await platform.stores.tasks.nextOrdinal(scene.project, scene.taskType);
    const handle = await platform.start('taskWorkflow', { ...scene.subject, payload: { text: 7, extra: true } });
    const { code, message } = await failureOf(handle);
    assert.equal(code, 'CHIMERA_INVALID_INPUT');
    assert.match(message, /\/text/);
    assert.match(message, /extra/);
    assert.equal(await platform.stores.tasks.nextOrdinal(scene.project, scene.taskType), before);
    const neither = await failureOf(await platform.start('taskWorkflow', { project: scene.project }));
    assert.match(neither.message, /give either taskId, or taskType and payload/);
    const unknown = await failureOf(await platform.start('taskWorkflow', { project: scene.project, taskId: 'none' }));
    assert.equal(unknown.code, 'CHIMERA_NOT_FOUND');
  });

  it('ends well where the agent fails: a failed execution has its reason, and is no dead letter', async () => {
    const broken = await openScene(platform, answering('{"label":"neither"}'));
    const task = await admitOne(broken);
    const result = await platform.execute<TaskResult>('taskWorkflow', {
      project: broken.project,
      taskId: task.taskId,
    });
    assert.equal(result.status, 'failed');
    assert.equal(result.reason?.code, 'bad-output');
    assert.match(result.reason.message, /label/);
    assert.deepEqual(await platform.stores.deadLetters.list(broken.project), []);
  });

  it('makes a dead letter of a task that no attempt can run, and a re-drive runs it', async () => {
    // A module that the store cannot read: where its file should be is a folder. Retried, as a store may come back.
    const genome = {
      ...RIGHT,
      rules: [{ ...RIGHT.rules[0]!, when: [{ feature: 0, op: '>' as const, threshold: 0.4 }] }],
    };
    const away = await openScene(platform, genome);
    const { champion } = (await platform.stores.deployments.current(away.project, away.taskType))!;
    const { module } = await platform.stores.agents.require(away.project, champion);
    const file = join(platform.stack.artifactsDir, artifactKey(module.sha256));
    await rm(file);
    await mkdir(file);
    const task = await admitOne(away);
    await platform.stores.tasks.markDispatched(away.project, [task.taskId]);
    const handle = await platform.start('taskWorkflow', { project: away.project, taskId: task.taskId });
    const failure = await failureOf(handle);
    assert.equal(failure.code, 'CHIMERA_STORE_UNAVAILABLE');
    const history = await handle.fetchHistory();
    const attempts = history.events?.flatMap((event) => event.activityTaskStartedEventAttributes?.attempt ?? []);
    assert.equal(attempts?.[0], 5, 'every attempt was used');
    const [letter] = await platform.stores.deadLetters.list(away.project);
    assert.deepEqual(
      { taskId: letter?.taskId, code: letter?.code, reason: letter?.reason },
      { taskId: task.taskId, code: failure.code, reason: failure.message },
    );
    assert.equal((await platform.stores.tasks.get(away.project, task.taskId))?.state, 'dead');

    await rmdir(file);
    await mkdir(dirname(file), { recursive: true });
    await platform.stores.artifacts.put(compileGenome(genome));
    const again = await platform.stores.deadLetters.redrive(away.project, undefined, {
      type: 'dead-letters.redriven',
      actor: 'test',
      subject: away.taskType,
      details: {},
    });
    assert.deepEqual(again, [task.taskId]);
    const { stores, temporal, queuePrefix } = platform;
    await createDispatcher({ stores, temporal, queuePrefix }).dispatchOnce();
    await until('the re-driven task', async () => {
      return (await stores.tasks.get(away.project, task.taskId))?.state === 'completed';
    });
    assert.deepEqual(await stores.deadLetters.list(away.project), []);
  });

  it('is cancelled as cancelled, without a dead letter', async () => {
    const task = await admitOne(scene);
    const handle = await platform.start(
      'taskWorkflow',
      { project: scene.project, taskId: task.taskId },
      { startDelay: 300 },
    );
    await handle.cancel();
    await assert.rejects(handle.result(), (error: Error) => error.cause?.constructor.name === 'CancelledFailure');
    assert.deepEqual(await platform.stores.deadLetters.list(scene.project), []);
  });
});
