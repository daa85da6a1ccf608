import { WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import assert from 'node:assert/strict';
import { workflowId } from '../../src/contracts/names.ts';
import { createDispatcher, type DispatcherOptions } from '../../src/gateway/dispatcher.ts';
import { taskWorkflowId } from '../../src/gateway/starter.ts';
import type { TaskTypeDocument } from '../../src/stores/index.ts';
import { CHAMPION, LABELS, PROJECT, startPlatform, type Platform } from './fixture.ts';

describe('dispatcher', function () {
  this.timeout(240_000);
  let platform: Platform;

  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform?.close());
  afterEach(() => {
    globalThis.__chimeraFailpoint = undefined;
  });

  const options = (more: Partial<DispatcherOptions> = {}): DispatcherOptions => ({
    stores: platform.stores,
    temporal: platform.temporal,
    queuePrefix: platform.queuePrefix,
    ...more,
  });
  const accept = async (...keys: string[]): Promise<void> => {
    const submissions = keys.map((key) => ({ key, payload: { text: key } }));
    await platform.stores.tasks.acceptMany(PROJECT, 'labels', submissions);
  };
  const runOf = (key: string): Promise<{ runId: string }> =>
    platform.temporal.workflow.getHandle(taskWorkflowId({ project: PROJECT, key })).describe();
  const waiting = async (): Promise<string[]> => (await platform.stores.tasks.undispatched(100)).map(({ key }) => key);

  it('starts what was accepted and marks it', async () => {
    await accept('a', 'b', 'c');
    assert.equal(await createDispatcher(options()).dispatchOnce(), 3);
    assert.deepEqual(await waiting(), []);
    for (const key of ['a', 'b', 'c']) await runOf(key);
    assert.equal(await createDispatcher(options()).dispatchOnce(), 0);
  });

  for (const [place, occurrence] of [
    ['before the start', 1],
    ['between start and mark', 2],
  ] as const)
    it(`dies ${place}, and the next one starts the same run, once`, async () => {
      const key = `dies-${occurrence}`;
      await accept(key);
      let seen = 0;
      globalThis.__chimeraFailpoint = (name) => {
        seen += name === 'accept.dispatch' ? 1 : 0;
        if (seen === occurrence) throw new Error('died');
      };
      await assert.rejects(createDispatcher(options({ concurrency: 1 })).dispatchOnce(), /died/);
      globalThis.__chimeraFailpoint = undefined;
      assert.deepEqual(await waiting(), [key]);
      const first = occurrence === 2 ? await runOf(key) : undefined;
      assert.equal(await createDispatcher(options()).dispatchOnce(), 1);
      assert.deepEqual(await waiting(), []);
      const { runId } = await runOf(key);
      if (first !== undefined) assert.equal(runId, first.runId);
    });

  it('leaves young tasks to the gateway that accepted them', async () => {
    await accept('young');
    assert.equal(await createDispatcher(options({ graceMs: 60_000 })).dispatchOnce(), 0);
    assert.deepEqual(await waiting(), ['young']);
    assert.equal(await createDispatcher(options()).dispatchOnce(), 1);
  });

  it('wakes on a notification, long before the poll', async () => {
    const ending = new AbortController();
    let housekeeping = 0;
    const dispatcher = createDispatcher(options({ pollMs: 600_000, housekeepingMs: 5 }));
    const seal = platform.stores.audit.seal;
    platform.stores.audit.seal = (project) => {
      housekeeping += 1;
      return seal(project);
    };
    const running = dispatcher.run(ending.signal);
    await accept('rings');
    while ((await waiting()).length > 0 || housekeeping < 2) await new Promise((resolve) => setImmediate(resolve));
    ending.abort();
    await running;
    platform.stores.audit.seal = seal;
    await runOf('rings');
  });

  it('backs off while Temporal is away and loses nothing', async () => {
    await accept('patient');
    const broken = Object.create(platform.temporal, {
      workflow: {
        value: {
          start: () => Promise.reject(Object.assign(new Error('connection refused'), { code: 14 })),
        },
      },
    }) as typeof platform.temporal;
    const warnings: string[] = [];
    const ending = new AbortController();
    const log = {
      warn: (_details: object, message: string): void => {
        if (message.startsWith('dispatching')) warnings.push(message);
        if (warnings.length === 2) ending.abort();
      },
    };
    await createDispatcher(options({ temporal: broken, log })).run(ending.signal);
    assert.deepEqual(warnings, [
      'dispatching failed; trying again in 200 ms',
      'dispatching failed; trying again in 400 ms',
    ]);
    assert.deepEqual(await waiting(), ['patient']);
    assert.equal(await createDispatcher(options()).dispatchOnce(), 1);
  });

  it('does not let a row that Temporal refuses hold up the others', async () => {
    await accept('refused', 'fine');
    const picky = Object.create(platform.temporal, {
      workflow: {
        value: {
          start: (type: string, start: { workflowId: string }) =>
            start.workflowId === taskWorkflowId({ project: PROJECT, key: 'refused' })
              ? Promise.reject(Object.assign(new Error('invalid argument'), { code: 3 }))
              : platform.temporal.workflow.start(type, start as never),
        },
      },
    }) as typeof platform.temporal;
    await assert.rejects(createDispatcher(options({ temporal: picky })).dispatchOnce(), /invalid argument/);
    assert.deepEqual(await waiting(), ['refused']);
  });

  it('starts the monitor of every stream that is served, once, and again when somebody ended it', async () => {
    const { stores, temporal } = platform;
    await stores.taskTypes.put(PROJECT, { ...(LABELS as TaskTypeDocument), name: 'unserved' });
    const monitor = (taskType: string): WorkflowHandle =>
      temporal.workflow.getHandle(workflowId.streamMonitor(PROJECT, taskType));
    const dispatcher = createDispatcher(options());
    await dispatcher.watchOnce();
    const { runId, status, searchAttributes } = await monitor('labels').describe();
    assert.equal(status.name, 'RUNNING');
    assert.deepEqual(searchAttributes['ChimeraLayer'], ['kpi']);
    await dispatcher.watchOnce();
    await createDispatcher(options()).watchOnce();
    assert.equal((await monitor('labels').describe()).runId, runId);
    await assert.rejects(monitor('unserved').describe(), WorkflowNotFoundError);
    await monitor('labels').terminate();
    await createDispatcher(options()).watchOnce();
    assert.notEqual((await monitor('labels').describe()).runId, runId);
  });

  it('seals the audit log', async () => {
    await createDispatcher(options()).housekeepOnce();
    const { entries } = await platform.stores.audit.verify(PROJECT);
    assert.ok(entries > 0);
  });

  it('records feedback deadlines as a task type states them: the watermark moves on', async () => {
    const { client, stores, temporal } = platform;
    const taskType = 'impatient';
    await client.registerTaskType({ ...(LABELS as TaskTypeDocument), name: taskType, feedbackDeadlineMs: 1 });
    await client.deploy(taskType, CHAMPION);
    await temporal.workflow.getHandle(workflowId.streamMonitor(PROJECT, taskType)).describe();
    const [accepted] = await stores.tasks.acceptMany(PROJECT, taskType, [{ payload: { text: 'late' } }]);
    const { taskId, ordinal } = accepted!.task;
    const run = { ...{ fuel: 0, modelCalls: 0, memoryBytes: 0, turns: 1 }, recordHash: 'h', features: [] };
    await stores.executions.putMany(PROJECT, taskType, [
      { ...run, ...{ taskId, ordinal, agentVersion: CHAMPION, role: 'served', status: 'completed' } },
    ]);
    assert.equal(await stores.tasks.watermark(PROJECT, taskType), 0);
    while (Date.parse(accepted!.task.acceptedAt) + 1 >= Date.now())
      await new Promise((resolve) => setImmediate(resolve));
    await createDispatcher(options()).housekeepOnce();
    assert.equal(await stores.tasks.watermark(PROJECT, taskType), 1);
  });
});
