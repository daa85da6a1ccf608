import assert from 'node:assert/strict';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { TaskResult } from '../../src/activities/task-outcome.ts';
import type { EffectKind, JsonObject, JsonValue } from '../../src/contracts/records.ts';
import { QUERIES, UPDATES } from '../../src/contracts/messages.ts';
import { workflowId } from '../../src/contracts/names.ts';
import { sha256Hex } from '../../src/core/canonical/canonical.ts';
import { parseTaskType } from '../../src/core/validation/task-type.ts';
import { createDispatcher } from '../../src/gateway/dispatcher.ts';
import { createLendingFabric } from '../../src/fabric/lending.ts';
import { checkExecutions } from '../../src/verify/stream.ts';
import type { ExecutionView } from '../../src/workflows/execution.ts';
import { calls } from '../agents/tools/counting.ts';
import { visitors } from '../agents/tools/gate.ts';
import { answering } from '../fabric/agents.ts';
import { testAgent } from '../helpers/agents.ts';
import { failureOf, FOREIGN_QUEUE, sharedPlatform, stateText, until, type TestPlatform } from '../helpers/platform.ts';
import { openScene, type Scene } from './scene.ts';
import { effect, SCRIPTS } from './scripts.ts';
import { noModels } from '../helpers/learning.ts';

const count = (n: number): JsonObject => effect('tool', { tool: 'counting', input: { n } });
const gate = (name: string): JsonObject => effect('tool', { tool: 'gate', input: { name } });
const ask = (question: string, more: JsonObject = {}): JsonObject => effect('ask-human', { question, ...more });

interface Seen {
  ok: boolean;
  body: JsonObject;
}

const seenOf = ({ output }: { output?: JsonValue }): Seen[] => (output as unknown as { seen: Seen[] }).seen;
const codeOf = ({ body }: Seen): JsonValue | undefined => body['code'];

describe('executionWorkflow', function () {
  this.timeout(180_000);
  let platform: TestPlatform;
  let scene: Scene;

  before(async () => {
    platform = await sharedPlatform();
    scene = await openScene(platform, await testAgent('scripted'), {
      type: SCRIPTS,
      manifest: {
        capabilities: ['memory', 'tool', 'ask-human', 'spawn-task', 'sleep', 'http'],
        tools: ['counting', 'gate', 'elsewhere'],
        http: { allow: ['http://127.0.0.1'] },
      },
    });
  });

  let admitted = 0;
  const admit = async (script: JsonValue, more: JsonObject = {}) => {
    const [task] = await scene.admit([{ script, ...more }], { prefix: `s${admitted++}` });
    return task!;
  };
  const start = async (script: JsonValue, more: JsonObject = {}) => {
    const task = await admit(script, more);
    const handle = await platform.start('taskWorkflow', { project: scene.project, taskId: task.taskId });
    const execution = platform.temporal.workflow.getHandle(workflowId.execution(scene.project, task.taskId));
    return { task, handle, execution };
  };
  const run = async (script: JsonValue, more: JsonObject = {}): Promise<TaskResult> =>
    (await (await start(script, more)).handle.result()) as TaskResult;
  const waiting = (execution: { query(name: string): Promise<unknown> }): Promise<ExecutionView> =>
    until('the execution to wait', async () => {
      const view = (await execution.query(QUERIES.inspect).catch(() => undefined)) as ExecutionView | undefined;
      return view?.state === 'waiting' ? view : undefined;
    });
  const visitor = (name: string) =>
    until(`${name} at the gate`, () => Promise.resolve(visitors.find((each) => each.name === name)));

  it('performs effects on the world turn by turn, tells the agent, and records each once', async () => {
    const text = 'remember me';
    const task = await admit([
      [count(1), effect('memory', { put: { text } })],
      [effect('memory', { get: sha256Hex(text) }), effect('sleep', { ms: 30 })],
      [effect('infer', { model: 'none', input: '' })],
    ]);
    const result = await platform.execute<TaskResult>('taskWorkflow', { project: scene.project, taskId: task.taskId });
    const [counted, put, got, slept, inferred] = seenOf(result);
    assert.deepEqual(counted?.body['input'], { n: 1 });
    assert.deepEqual(put, { ok: true, body: { bytes: text.length, sha256: sha256Hex(text) } });
    assert.deepEqual(got, { ok: true, body: { text } });
    assert.deepEqual(slept, { ok: true, body: {} });
    assert.equal(codeOf(inferred!), 'CHIMERA_FORBIDDEN');
    assert.equal((result.output as { time: number }).time, 30, 'sleep moves virtual time by what was asked for');
    const effects = await platform.stores.effects.from(scene.project, task.taskId, 0);
    assert.deepEqual(
      effects.map(({ turn, index, kind, answeredBy }) => [turn, index, kind, answeredBy]),
      [
        [0, 0, 'tool', 'counting'],
        [0, 1, 'memory', 'host'],
        [1, 0, 'memory', 'host'],
        [1, 1, 'sleep', 'host'],
      ],
    );
    const stored = await platform.stores.longExecutions.require(scene.project, task.taskId);
    const [row] = await platform.stores.executions.forTask(scene.project, task.taskId);
    assert.equal(stored.state, 'completed');
    assert.equal(row?.recordHash, stored.recordHash);
    assert.deepEqual(await run([[count(1)]]).then((other) => other.status), 'completed');
    assert.equal((await platform.stores.tasks.get(scene.project, task.taskId))?.state, 'completed');
    // The same task again is the same execution: nothing is performed twice.
    const before = calls.length;
    assert.deepEqual(await platform.execute('taskWorkflow', { project: scene.project, taskId: task.taskId }), result);
    assert.equal(calls.length, before);
    const keys = calls.filter((key) => key.includes(task.taskId));
    assert.deepEqual(keys, [`${scene.project}/${task.taskId}/0/0`]);
  });

  it('calls a tool of another worker, in its own words, and gives up on one that fails', async () => {
    const native = await NativeConnection.connect({ address: platform.stack.temporalAddress });
    let tried = 0;
    const worker = await Worker.create({
      connection: native,
      namespace: platform.stack.namespace,
      taskQueue: FOREIGN_QUEUE,
      activities: {
        lookUp(input: { city: string }, { idempotencyKey }: { idempotencyKey: string }) {
          if (input.city !== 'Atlantis') return Promise.resolve({ found: input.city, under: idempotencyKey });
          tried++;
          return Promise.reject(new Error('it sank'));
        },
      },
    });
    await worker.runUntil(async () => {
      const call = (city: string): JsonObject => effect('tool', { tool: 'elsewhere', input: { city } });
      const { task, handle } = await start([[call('Paris'), call('Atlantis'), call('Rome')]]);
      const [paris, atlantis, rome] = seenOf((await handle.result()) as TaskResult);
      assert.deepEqual(paris?.body, { found: 'Paris', under: `${scene.project}/${task.taskId}/0/0` });
      assert.equal(rome?.body['found'], 'Rome');
      assert.deepEqual([atlantis?.ok, tried], [false, 3]);
    });
    await native.close();
  });

  it('refuses what the manifest does not name, and tells the agent what is wrong with a request', async () => {
    const result = await run([
      [
        effect('tool', { tool: 'journal-line', input: {} }),
        effect('tool', { nonsense: true }),
        effect('http', { url: 'http://example.com/' }),
        effect('http', { url: 'http://127.0.0.1:1/' }),
        ask(''),
        effect('spawn-task', { taskType: 'scripts', payload: {}, after: [5] }),
        effect('spawn-task', { taskType: 'nobody-knows', payload: {} }),
      ],
      [effect('spawn-task', { taskType: 'scripts', payload: { no: 'script' } })],
    ]);
    assert.deepEqual(seenOf(result).map(codeOf), [
      'CHIMERA_FORBIDDEN',
      'CHIMERA_INVALID_INPUT',
      'CHIMERA_FORBIDDEN',
      'CHIMERA_FORBIDDEN',
      'CHIMERA_INVALID_INPUT',
      'CHIMERA_INVALID_INPUT',
      'CHIMERA_INVALID_INPUT',
      'CHIMERA_INVALID_INPUT',
    ]);
  });

  it('asks people: the answer comes by an update, by the store with a signal, or not at all in time', async () => {
    const { handle, execution } = await start([
      [ask('Pay it?', { options: ['yes', 'no'] })],
      [ask('How much?')],
      [ask('Anybody?', { timeoutMs: 50, default: 'nobody' }), ask('Really nobody?', { timeoutMs: 50 })],
    ]);
    const first = await waiting(execution);
    assert.match(first.waitsFor[0]!, /Pay it\?/);
    assert.match(await stateText(execution), /waits: an answer to "Pay it\?"/);
    await assert.rejects(execution.executeUpdate(UPDATES.answer, { args: [{ answer: 'perhaps', by: 'ada' }] }));
    await execution.executeUpdate(UPDATES.answer, { args: [{ answer: 'yes', by: 'ada' }] });
    const second = await until('the second question', async () => {
      const [open] = await platform.stores.approvals.list(scene.project);
      return open?.question === 'How much?' ? open : undefined;
    });
    const { approvals } = platform.stores;
    await approvals.answer(scene.project, second.approvalId, { euros: 7 }, 'grace');
    await approvals.answer(scene.project, second.approvalId, { euros: 7 }, 'grace');
    await assert.rejects(approvals.answer(scene.project, second.approvalId, 8, 'mallory'), {
      code: 'CHIMERA_CONFLICT',
    });
    await execution.signal('answered');
    const [paid, much, late, never] = seenOf((await handle.result()) as TaskResult);
    assert.deepEqual(paid?.body, { answer: 'yes', by: 'ada' });
    assert.deepEqual(much?.body, { answer: { euros: 7 }, by: 'grace' });
    assert.deepEqual(late?.body, { answer: 'nobody', by: null });
    assert.equal(codeOf(never!), 'CHIMERA_WALL_DEADLINE');
  });

  it('spawns tasks in the order of their dependencies and hears how they ended', async () => {
    const { stores, temporal, queuePrefix } = platform;
    const dispatcher = new AbortController();
    const dispatching = createDispatcher({ stores, temporal, queuePrefix, pollMs: 100 }).run(dispatcher.signal);
    const child = (script: JsonValue, after: number[] = []): JsonObject =>
      effect('spawn-task', { taskType: 'scripts', payload: { script }, after });
    const unknown = effect('spawn-task', { taskType: 'nobody-knows', payload: {} });
    const { task, handle } = await start([[child([[count(1)]], [1]), child([[count(2)]]), child([], [3]), unknown]]);
    const [second, first, notStarted, failed] = seenOf((await handle.result()) as TaskResult);
    const before = ({ body }: Seen): number => seenOf(body as { output: JsonValue })[0]!.body['before'] as number;
    assert.ok(before(first!) < before(second!), 'the one that others wait for comes first');
    assert.equal(failed?.ok, false);
    assert.equal(codeOf(notStarted!), 'CHIMERA_TASK_FAILED');
    const spawned = await platform.stores.tasks.byKey(scene.project, `spawn/${task.taskId}/0/0`);
    assert.equal((await platform.stores.longExecutions.require(scene.project, spawned!.taskId)).depth, 1);
    dispatcher.abort();
    await dispatching;
  });

  it('ends with what the agent has where a budget is spent', async () => {
    const budgeted = await openScene(platform, await testAgent('scripted'), {
      type: parseTaskType({ ...SCRIPTS, budget: { turns: 2 } }),
      manifest: { capabilities: ['tool'], tools: ['counting'] },
    });
    const end = async (more: JsonObject): Promise<TaskResult> => {
      const [task] = await budgeted.admit([{ script: [[count(1)], [count(2)], [count(3)]], ...more }], {
        prefix: JSON.stringify(more),
      });
      return platform.execute('taskWorkflow', { project: budgeted.project, taskId: task!.taskId });
    };
    const partial = await end({});
    assert.equal(partial.status, 'failed');
    assert.deepEqual(partial.reason, { code: 'budget-exhausted', message: 'the budget is spent: 2 turns' });
    const [first, second] = seenOf(partial);
    assert.deepEqual([first?.ok, codeOf(second!)], [true, 'CHIMERA_BUDGET_SPENT']);
    const stubborn = await end({ stubborn: true });
    assert.deepEqual([stubborn.status, stubborn.reason?.code], ['failed', 'budget-exhausted']);
    assert.equal(stubborn.output, undefined);
  });

  it('spends a wall budget while it waits', async () => {
    const hurried = await openScene(platform, await testAgent('scripted'), {
      type: parseTaskType({ ...SCRIPTS, budget: { wallMs: 300 } }),
      manifest: { capabilities: ['sleep'] },
    });
    const [task] = await hurried.admit([{ script: [[effect('sleep', { ms: 3_600_000 })]] }]);
    const result = await platform.execute<TaskResult>('taskWorkflow', {
      project: hurried.project,
      taskId: task!.taskId,
    });
    assert.equal(result.reason?.code, 'budget-exhausted');
    assert.equal(codeOf(seenOf(result)[0]!), 'CHIMERA_BUDGET_SPENT');
  });

  it('is paused between turns, is inspected, and goes on where it was', async () => {
    const { task, handle, execution } = await start([[gate('pause')], [count(1)]]);
    const caller = await visitor('pause');
    const paused = execution.executeUpdate<ExecutionView, [object]>(UPDATES.pause, { args: [{ by: 'ada' }] });
    const stateOf = async () => (await platform.stores.longExecutions.require(scene.project, task.taskId)).state;
    await until('the pause to be noted', async () => (await stateOf()) === 'paused');
    caller.open();
    await paused;
    assert.equal(((await execution.query(QUERIES.inspect)) as ExecutionView).state, 'paused');
    const before = calls.length;
    assert.match(await stateText(execution), /paused by ada/);
    await execution.executeUpdate(UPDATES.resume, { args: [{ by: 'ada' }] });
    const result = (await handle.result()) as TaskResult;
    assert.deepEqual(seenOf(result)[0]?.body, { opened: 'pause' });
    assert.equal(calls.length, before + 1);
  });

  it('is cancelled by an update or through Temporal, and is a failed execution then', async () => {
    const byUpdate = await start([[ask('Shall I?')]]);
    await waiting(byUpdate.execution);
    await byUpdate.execution.executeUpdate(UPDATES.cancel, { args: [{ by: 'ada' }] });
    const result = (await byUpdate.handle.result()) as TaskResult;
    assert.deepEqual(result.reason, { code: 'cancelled', message: 'cancelled by ada' });
    const byTemporal = await start([[ask('Shall I?')]]);
    await waiting(byTemporal.execution);
    await byTemporal.handle.cancel();
    assert.equal((await failureOf(byTemporal.handle)).code, 'CancelledFailure');
    const stored = await platform.stores.longExecutions.require(scene.project, byTemporal.task.taskId);
    assert.equal(stored.state, 'failed');
    assert.equal((await platform.stores.tasks.get(scene.project, byTemporal.task.taskId))?.state, 'failed');
  });

  it('forks from any turn: what came before is taken over by hash, what comes after is performed anew', async () => {
    const { task, handle } = await start([[count(1)], [count(2), count(2)], [count(3)]]);
    const original = seenOf((await handle.result()) as TaskResult);
    const parent = await platform.stores.longExecutions.require(scene.project, task.taskId);
    for (const turn of [0, 1, 2, 3]) {
      const before = calls.length;
      const fork = { execution: task.taskId, turn };
      const result = await platform.execute<TaskResult>('executionWorkflow', { project: scene.project, fork });
      const seen = seenOf(result);
      const shared = [0, 1, 3, 4][turn]!;
      assert.deepEqual(seen.slice(0, shared), original.slice(0, shared), `turn ${turn}`);
      assert.equal(calls.length - before, 4 - shared, `calls of a fork at turn ${turn}`);
      assert.ok(seen.slice(shared).every(({ body }) => (body['before'] as number) >= before));
      const [stored] = await platform.stores.longExecutions.list(scene.project, { taskId: task.taskId, limit: 1 });
      assert.deepEqual([stored?.parent, stored?.fromTurn], [task.taskId, turn]);
      assert.equal(stored?.recordHash === parent.recordHash, shared === 4);
      // The same fork again is the same execution.
      await platform.execute('executionWorkflow', { project: scene.project, fork });
      assert.equal(calls.length - before, 4 - shared);
    }
    assert.equal((await platform.stores.executions.forTask(scene.project, task.taskId)).length, 1);
    const refused = await platform.start('executionWorkflow', {
      project: scene.project,
      fork: { execution: task.taskId, turn: 99 },
    });
    assert.match((await failureOf(refused)).message, /the execution has 4 turns/);
  });

  it('finishes on the version that it began with: a deployment holds from the next task on', async () => {
    const { deployments } = platform.stores;
    const { task, handle, execution } = await start([[ask('Still there?')]]);
    await waiting(execution);
    const other = await scene.publish(
      await testAgent('scripted'),
      {},
      {
        description: 'another version',
        capabilities: ['tool'],
        tools: ['counting'],
      },
    );
    const { epoch } = (await deployments.current(scene.project, scene.taskType))!;
    const audit = { type: 'deployment.promoted', actor: 'test', subject: scene.taskType, details: {} };
    await deployments.advance(
      scene.project,
      scene.taskType,
      epoch,
      { champion: other, stage: 'full', share: 0, reason: 'test' },
      { decisionId: 'swap', audit },
    );
    const next = await run([[count(1)]]);
    assert.equal(next.agentVersion, other);
    await execution.executeUpdate(UPDATES.answer, { args: [{ answer: 'yes' }] });
    const result = (await handle.result()) as TaskResult;
    assert.equal(result.agentVersion, task.routing.served);
    assert.notEqual(result.agentVersion, other);
    // Back, for the other tests.
    await deployments.advance(
      scene.project,
      scene.taskType,
      epoch + 1,
      { champion: task.routing.served, stage: 'full', share: 0, reason: 'test' },
      { decisionId: 'swap back', audit },
    );
  });

  it('lets only the served version act: another one is told what was recorded, and gives the same record', async () => {
    const { deployments, executions } = platform.stores;
    const manifest = { capabilities: ['memory', 'tool', 'sleep'] as EffectKind[], tools: ['counting'] };
    const twins = await openScene(platform, await testAgent('scripted'), { type: SCRIPTS, manifest });
    const { project, taskType } = twins;
    const twin = await twins.publish(await testAgent('scripted'), {}, { ...manifest, description: 'its twin' });
    const plain = await twins.publish(answering('{"seen":[]}'));
    const audit = { type: 'deployment.shadow', actor: 'test', subject: taskType, details: {} };
    const shadow = async (epoch: number, champion: string): Promise<void> => {
      const next = { champion, challenger: twin, stage: 'shadow' as const, share: 0, reason: 'test' };
      await deployments.advance(project, taskType, epoch, next, { decisionId: `shadow ${epoch}`, audit });
    };
    const served = (await deployments.current(project, taskType))!.champion;
    await shadow(0, served);
    const text = effect('memory', { put: { text: 'x' } });
    const script = [[count(1), count(1), text], [count(1), effect('sleep', { ms: 9 })], [text]];
    const [task] = await twins.admit([{ script }], { prefix: 'twins' });
    const before = calls.length;
    await platform.execute('taskWorkflow', { project, taskId: task!.taskId });
    assert.equal(calls.length - before, 3);
    const [one, other] = await executions.forTask(project, task!.taskId);
    assert.deepEqual([one?.role, other?.role].sort(), ['served', 'shadow']);
    assert.deepEqual([one?.status, other?.status], ['completed', 'completed']);
    assert.equal(one?.recordHash, other?.recordHash, 'however the turns were taken');
    // Beside a version that asks for nothing there is no recording.
    await shadow(1, plain);
    const [alone] = await twins.admit([{ script }], { prefix: 'alone' });
    await platform.execute('taskWorkflow', { project, taskId: alone!.taskId });
    assert.equal(calls.length - before, 3, 'a shadow does not act');
    const rows = await executions.forTask(project, alone!.taskId);
    assert.equal(rows.find(({ role }) => role === 'shadow')?.reason?.code, 'unrecorded-effect');
  });

  it('is derived again from what was recorded: the same executions, to the last byte', async () => {
    const { stores } = platform;
    const { fabric, lendBlobs } = createLendingFabric({
      poolSize: 1,
      resolve: (sha256) => stores.artifacts.get({ sha256 }),
    });
    try {
      const { project, taskType } = scene;
      const { signal } = new AbortController();
      const upto = await stores.tasks.nextOrdinal(project, taskType);
      const before = calls.length;
      const check = await checkExecutions(
        { stores, fabric, lendBlobs, learning: noModels(), project, signal },
        { taskType, upto },
      );
      assert.deepEqual(check.differences, []);
      assert.ok(check.count > 5, `${check.count} executions`);
      assert.equal(calls.length, before, 'nothing acts again');
    } finally {
      fabric.close();
    }
  });

  it('is one execution where two workers take its turns at once: the first answer to an effect holds', async () => {
    const task = await admit([[gate('race'), count(1)], [count(2)]]);
    await platform.stores.longExecutions.open(scene.project, {
      ...{ executionId: task.taskId, taskType: scene.taskType, taskId: task.taskId, ordinal: task.ordinal },
      ...{ agentVersion: task.routing.served, depth: 0, config: { seed: '1', budget: {} } },
    });
    const input = { project: scene.project, executionId: task.taskId, turnsAtATime: 5 };
    const running = Promise.all([1, 2].map(() => platform.execute<TaskResult>('executionWorkflow', input)));
    const atGate = () => visitors.filter(({ name }) => name === 'race');
    await until('both at the gate', async () => atGate().length === 2);
    for (const visitor of atGate()) visitor.open();
    const results = await running;
    assert.deepEqual(results[0], results[1]);
    const told = seenOf(results[0]!).map(({ body }) => body);
    const recorded = (await platform.stores.effects.from(scene.project, task.taskId, 0)).map(({ body }) => body);
    assert.deepEqual(
      told,
      recorded.map((body) => JSON.parse(body as string) as JsonObject),
    );
    const asked = calls.filter((key) => key.includes(`${task.taskId}/0/`));
    assert.equal(asked.length, 2, 'both performed the effects of the first turn');
  });

  it('hands its history over while nobody answers', async () => {
    const task = await admit([[ask('Anybody there?')]]);
    await platform.stores.longExecutions.open(scene.project, {
      ...{ executionId: task.taskId, taskType: scene.taskType, taskId: task.taskId, ordinal: task.ordinal },
      ...{ agentVersion: task.routing.served, depth: 0, config: { seed: '1', budget: {} } },
    });
    const input = { project: scene.project, executionId: task.taskId, pollMs: 20, eventsPerRun: 50 };
    const first = await platform.start('executionWorkflow', input, { id: `patient/${scene.project}` });
    const execution = platform.temporal.workflow.getHandle(first.workflowId);
    await until('another run', async () => (await execution.describe()).runId !== first.firstExecutionRunId);
    const [open] = await platform.stores.approvals.list(scene.project, { executionId: task.taskId });
    await platform.stores.approvals.answer(scene.project, open!.approvalId, 'yes', 'ada');
    await execution.signal('answered');
    assert.deepEqual(seenOf((await execution.result()) as TaskResult)[0]?.body, { answer: 'yes', by: 'ada' });
  });

  it('runs the tasks of a batch that go turn by turn, and hands its history over when that is long', async () => {
    const rows = await scene.admit(
      [1, 2, 3].map((n) => ({ script: [[count(n)]] })),
      { batch: 'turns' },
    );
    const result = await platform.execute<{ executed: number; failed: number }>('taskBatchWorkflow', {
      project: scene.project,
      batchId: scene.batchId('turns'),
    });
    assert.deepEqual([result.executed, result.failed], [3, 0]);
    for (const { taskId } of rows) {
      assert.equal((await platform.stores.tasks.get(scene.project, taskId))?.state, 'completed');
    }
    const task = await admit(Array.from({ length: 12 }, (_, n) => [count(n)]));
    await platform.stores.longExecutions.open(scene.project, {
      ...{ executionId: task.taskId, taskType: scene.taskType, taskId: task.taskId, ordinal: task.ordinal },
      ...{ agentVersion: task.routing.served, depth: 0, config: { seed: '1', budget: {} } },
    });
    const id = `short-histories/${scene.project}`;
    const long = { project: scene.project, executionId: task.taskId, turnsAtATime: 1, eventsPerRun: 50 };
    const first = await platform.start('executionWorkflow', long, { id });
    assert.equal(((await first.result()) as TaskResult).status, 'completed');
    const last = await platform.temporal.workflow.getHandle(id).describe();
    assert.notEqual(last.runId, first.firstExecutionRunId, 'it continued as new');
    assert.ok(last.historyLength < 150, `${last.historyLength} events`);
  });
});
