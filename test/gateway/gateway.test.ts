import assert from 'node:assert/strict';
import { WORKFLOWS, workflowId } from '../../src/contracts/names.ts';
import type { ExecutionRow } from '../../src/contracts/records.ts';
import type { BatchAccepted, TaskView } from '../../src/client/index.ts';
import { batchIdOf } from '../../src/gateway/batch-admission.ts';
import { createDispatcher } from '../../src/gateway/dispatcher.ts';
import { taskWorkflowId } from '../../src/gateway/starter.ts';
import { CHAMPION, LABELS, PROJECT, startPlatform, type Platform } from './fixture.ts';

describe('gateway', function () {
  this.timeout(240_000);
  let platform: Platform;

  before(async () => {
    platform = await startPlatform({ ui: { url: 'http://ui.example', namespace: 'default' } });
  });
  after(() => platform?.close());

  const submit = async (body: object, path = '/v1/tasks', headers?: Record<string, string>): Promise<TaskView> => {
    const response = await platform.call('POST', path, JSON.stringify({ taskType: 'labels', ...body }), headers);
    const text = await response.text();
    assert.ok(response.ok, text);
    return JSON.parse(text) as TaskView;
  };
  const execution = (task: TaskView, row: Partial<ExecutionRow> = {}): ExecutionRow => ({
    taskId: task.taskId,
    ordinal: task.ordinal,
    agentVersion: CHAMPION,
    role: 'served',
    status: 'completed',
    output: { label: 'a' },
    fuel: 1234,
    modelCalls: 2,
    memoryBytes: 65_536,
    turns: 1,
    recordHash: 'f'.repeat(64),
    features: [],
    ...row,
  });

  it('accepts a task, routes it, and starts its workflow under the derived ID', async () => {
    const task = await submit({ payload: { text: 'hello' }, key: 'first', priority: 2 });
    assert.equal(task.state, 'accepted');
    assert.deepEqual(task.routing, { epoch: 0, served: CHAMPION });
    const described = await platform.temporal.workflow
      .getHandle(taskWorkflowId({ project: PROJECT, key: 'first' }))
      .describe();
    assert.equal(described.type, WORKFLOWS.task);
    assert.equal(described.taskQueue, `${platform.queuePrefix}chimera-workflows`);
    assert.equal(described.priority?.priorityKey, 2);
    assert.equal(described.priority?.fairnessKey, PROJECT);
    assert.deepEqual(described.searchAttributes?.['ChimeraTaskType'], ['labels']);
    assert.equal(await described.staticSummary(), `labels task ${task.ordinal}`);
  });

  it('takes the same key as the same task, from body or header, and refuses another body', async () => {
    const first = await submit({ payload: { text: 'one' }, key: 'same' });
    const again = await submit({ payload: { text: 'one' } }, '/v1/tasks', { 'idempotency-key': 'same' });
    assert.equal(again.taskId, first.taskId);
    const other = await platform.call(
      'POST',
      '/v1/tasks',
      '{"taskType":"labels","key":"same","payload":{"text":"two"}}',
    );
    assert.equal(other.status, 409);
  });

  it('waits for the result, and gives up in time', async () => {
    const waited = await submit({ payload: { text: 'wait' }, key: 'waits' }, '/v1/tasks?wait=50');
    assert.equal(waited.state, 'accepted');
    const result = submit({ payload: { text: 'wait' }, key: 'waits' }, '/v1/tasks?wait=30000');
    // What the worker would do: the execution is stored, then the workflow ends.
    await platform.stores.executions.putMany(PROJECT, 'labels', [execution(waited)]);
    await platform.temporal.workflow.getHandle(taskWorkflowId({ project: PROJECT, key: 'waits' })).terminate();
    const done = await result;
    assert.equal(done.state, 'completed');
    assert.deepEqual(done.output, { label: 'a' });
    assert.equal(done.version, CHAMPION);
    assert.equal(done.fuel, 1234);
  });

  it('answers a resolved task at once', async () => {
    const again = await submit({ payload: { text: 'wait' }, key: 'waits' }, '/v1/tasks?wait=60000');
    assert.equal(again.state, 'completed');
  });

  it('shows why a task failed', async () => {
    const task = await submit({ payload: { text: 'fails' } });
    const reason = { code: 'out-of-fuel', message: 'fuel ran out' };
    await platform.stores.executions.putMany(PROJECT, 'labels', [
      execution(task, { status: 'failed', output: undefined, reason }),
    ]);
    const view = await platform.client.getTask(task.taskId);
    assert.equal(view.state, 'failed');
    assert.deepEqual(view.reason, reason);
  });

  it('keeps projects apart', async () => {
    await platform.stores.projects.ensure('other');
    const { key } = await platform.stores.apiKeys.create('other', 'test');
    const task = await submit({ payload: { text: 'mine' } });
    const foreign = await platform.call('GET', `/v1/tasks/${task.taskId}`, null, { authorization: `Bearer ${key}` });
    assert.equal(foreign.status, 404);
    const revoked = await platform.stores.apiKeys.revoke('other', 'test');
    assert.ok(revoked);
    const late = await platform.call('GET', '/v1/task-types', null, { authorization: `Bearer ${key}` });
    assert.equal(late.status, 401);
  });

  it('takes feedback by task and by key, one and many, once', async () => {
    const task = await submit({ payload: { text: 'judge me' }, key: 'judged' });
    const demonstration = { kind: 'demonstration' as const, value: { label: 'b' } };
    await platform.client.feedback({ taskId: task.taskId, feedback: demonstration });
    await platform.client.feedback({ key: 'judged', feedback: demonstration });
    const { accepted } = await platform.client.feedbackMany([
      { key: 'judged', feedback: { kind: 'comment', value: 'fine' } },
      { key: 'judged', feedback: { kind: 'boolean', value: false } },
    ]);
    assert.equal(accepted, 2);
    const { feedback } = await platform.client.getTask(task.taskId);
    assert.deepEqual(feedback.map(({ feedback: given }) => given.kind).sort(), ['boolean', 'comment', 'demonstration']);
  });

  it('takes no feedback of a list with one bad line', async () => {
    const task = await submit({ payload: { text: 'untouched' } });
    const lines = [{ taskId: task.taskId, feedback: { kind: 'boolean', value: true } }, { taskId: task.taskId }];
    const response = await platform.call('POST', '/v1/feedback', lines.map((line) => JSON.stringify(line)).join('\n'), {
      'content-type': 'application/x-ndjson',
    });
    assert.equal(response.status, 400);
    assert.deepEqual((await platform.client.getTask(task.taskId)).feedback, []);
  });

  describe('batches', () => {
    it('streams a batch in, in order, and a dispatcher starts it', async () => {
      const count = 1_234;
      const items = Array.from({ length: count }, (_, i) => ({ payload: { text: `text ${i}` } }));
      const accepted = await platform.client.submitBatch('labels', items, { key: 'nightly' });
      assert.equal(accepted.count, count);
      assert.equal(accepted.lastOrdinal! - accepted.firstOrdinal!, count - 1);
      const tasks = await platform.stores.tasks.ofBatch(PROJECT, accepted.batchId);
      assert.deepEqual(
        tasks.map(({ payload }) => payload),
        items.map(({ payload }) => payload),
      );
      const dispatcher = createDispatcher({
        stores: platform.stores,
        temporal: platform.temporal,
        queuePrefix: platform.queuePrefix,
      });
      await dispatcher.dispatchOnce();
      const handle = platform.temporal.workflow.getHandle(workflowId.taskBatch(PROJECT, accepted.batchId));
      assert.equal((await handle.describe()).type, WORKFLOWS.taskBatch);
      assert.deepEqual(await platform.stores.batches.undispatched(10), []);
      await handle.terminate();
    });

    it('takes the same batch again as the same, and refuses another under its key', async () => {
      const items = [{ payload: { text: 'p' } }, { payload: { text: 'q' }, key: 'q' }];
      const first = await platform.client.submitBatch('labels', items, { key: 'twice' });
      const before = await platform.stores.tasks.nextOrdinal(PROJECT, 'labels');
      assert.deepEqual(await platform.client.submitBatch('labels', items, { key: 'twice' }), first);
      for (const other of [
        [...items, { payload: { text: 'r' } }],
        items.slice(1),
        [items[1]!, items[0]!],
        [items[0]!, { payload: { text: 'z' }, key: 'q' }],
      ])
        await assert.rejects(platform.client.submitBatch('labels', other, { key: 'twice' }), {
          name: 'ChimeraApiError',
        });
      assert.equal(await platform.stores.tasks.nextOrdinal(PROJECT, 'labels'), before);
    });

    it('accepts nothing when the last line is bad, and lists at most 100 problems', async () => {
      const before = await platform.stores.tasks.nextOrdinal(PROJECT, 'labels');
      const lines = Array.from({ length: 700 }, (_, i) => JSON.stringify({ payload: { text: i < 500 ? 'x' : i } }));
      const response = await platform.call('POST', '/v1/task-types/labels/batches?key=bad', lines.join('\n'), {
        'content-type': 'application/x-ndjson',
      });
      assert.equal(response.status, 400);
      const { error } = (await response.json()) as { error: { problems: { path: string; message: string }[] } };
      assert.equal(error.problems.length, 101);
      assert.equal(error.problems[0]!.path, 'line 501/payload/text');
      assert.equal(error.problems.at(-1)!.message, 'and 100 more problems');
      assert.equal(await platform.stores.tasks.nextOrdinal(PROJECT, 'labels'), before);
      assert.equal(await platform.stores.batches.byKey(PROJECT, 'bad'), undefined);
    });

    it('completes a batch that a dead gateway left open', async () => {
      const items = Array.from({ length: 3 }, (_, i) => ({ payload: { text: `open ${i}` }, key: `open-${i}` }));
      const batchId = batchIdOf(PROJECT, 'resumed');
      await platform.stores.batches.open(PROJECT, 'labels', batchId, 'resumed');
      await platform.stores.tasks.acceptMany(PROJECT, 'labels', items.slice(0, 2), { batchId });
      const whole = await platform.client.submitBatch('labels', items, { key: 'resumed' });
      assert.deepEqual([whole.batchId, whole.count], [batchId, 3]);
      assert.equal((await platform.client.batch(batchId)).state, 'closed');
      assert.equal((await platform.stores.tasks.ofBatch(PROJECT, batchId)).length, 3);
    });

    it('leaves a task of another batch where it is', async () => {
      const items = Array.from({ length: 2 }, (_, i) => ({ payload: { text: `shared ${i}` }, key: `shared-${i}` }));
      await platform.client.submitBatch('labels', [items[0]!]);
      const whole = await platform.client.submitBatch('labels', items);
      assert.equal(whole.count, 2);
      assert.equal((await platform.stores.tasks.ofBatch(PROJECT, whole.batchId)).length, 1);
    });

    it('shows progress', async () => {
      const accepted: BatchAccepted = await platform.client.submitBatch('labels', [
        { payload: { text: 'i' } },
        { payload: { text: 'j' } },
      ]);
      const [first, second] = await platform.stores.tasks.ofBatch(PROJECT, accepted.batchId);
      await platform.stores.executions.putMany(PROJECT, 'labels', [
        execution(await platform.client.getTask(first!.taskId)),
      ]);
      const half = await platform.client.batch(accepted.batchId);
      assert.deepEqual([half.resolved, half.failed, half.done], [1, 0, false]);
      const reason = { code: 'trap', message: 'unreachable' };
      await platform.stores.executions.putMany(PROJECT, 'labels', [
        execution(await platform.client.getTask(second!.taskId), { status: 'failed', output: undefined, reason }),
      ]);
      const seen: number[] = [];
      const whole = await platform.client.waitForBatch(accepted.batchId, {
        onProgress: ({ resolved }) => seen.push(resolved),
      });
      assert.deepEqual([whole.resolved, whole.failed, whole.done], [2, 1, true]);
      assert.deepEqual(seen, [2]);
    });
  });

  it('lists dead letters and drives them again', async () => {
    const task = await submit({ payload: { text: 'dies' }, key: 'dies' });
    const { taskId, ordinal } = task;
    await platform.stores.deadLetters.put(PROJECT, {
      taskId,
      taskType: 'labels',
      ordinal,
      code: 'X',
      reason: 'no disk',
    });
    assert.deepEqual((await platform.client.getTask(taskId)).reason, { code: 'X', message: 'no disk' });
    assert.deepEqual(
      (await platform.client.deadLetters()).map((letter) => letter.taskId),
      [taskId],
    );
    assert.deepEqual(await platform.client.redrive([taskId]), [taskId]);
    assert.deepEqual(await platform.client.deadLetters(), []);
    assert.equal((await platform.client.getTask(taskId)).state, 'accepted');
  });

  it('starts one cycle at a time and shows it', async () => {
    const cycle = await platform.client.startCycle({ taskType: 'labels', force: true });
    assert.equal(cycle.state, 'running');
    assert.equal(cycle.workflowId, workflowId.evolutionCycle(PROJECT, 'labels'));
    assert.match(cycle.ui!, /^http:\/\/ui\.example\/namespaces\/default\/workflows\/cycle%2Fdefault%2Flabels\//);
    assert.equal((await platform.client.startCycle({ taskType: 'labels' })).id, cycle.id);
    await platform.temporal.workflow.getHandle(cycle.workflowId!, cycle.id).terminate('enough');
    const closed = await platform.client.waitForCycle(cycle.id, { pollMs: 20 });
    assert.equal(closed.state, 'terminated');
  });

  it('shows cycles on record with their report', async () => {
    const html = '<!doctype html><title>report</title>';
    const report = await platform.stores.artifacts.put(Buffer.from(html));
    await platform.stores.cycles.put(PROJECT, {
      id: 'c0ffee',
      taskType: 'labels',
      status: 'completed',
      log: 'promoted',
      document: { outcome: 'promoted' },
      report,
    });
    const cycle = await platform.client.cycle('c0ffee');
    assert.deepEqual([cycle.state, cycle.details, cycle.report], ['completed', 'promoted', '/v1/reports/c0ffee']);
    assert.equal(await platform.client.report('c0ffee'), html);
    const page = await platform.call('GET', '/v1/reports/c0ffee');
    assert.match(page.headers.get('content-type')!, /text\/html/);
    assert.match(page.headers.get('content-security-policy')!, /sandbox/);
    assert.ok((await platform.client.cycles()).some(({ id }) => id === 'c0ffee'));
  });

  it('registers task types and shows deployments', async () => {
    const next = { ...LABELS, version: 2, title: 'Better' };
    assert.equal((await platform.client.registerTaskType(next)).version, 2);
    assert.equal((await platform.client.taskType('labels')).version, 2);
    await assert.rejects(platform.client.registerTaskType({ ...next, title: 'Other' }), { code: 'CHIMERA_CONFLICT' });
    const { current, history } = await platform.client.deploy('labels', CHAMPION);
    assert.equal(current.champion, CHAMPION);
    assert.deepEqual(history, [current]);
    assert.deepEqual(await platform.client.deployment('labels'), { current, history });
  });

  it('answers probes without a key, with security headers, and echoes request IDs', async () => {
    for (const path of ['/live', '/ready', '/health', '/metrics', '/openapi.json']) {
      const response = await fetch(platform.baseUrl + path, { headers: { 'x-request-id': 'abc-1' } });
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get('x-request-id'), 'abc-1');
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      await response.text();
    }
    const odd = await fetch(`${platform.baseUrl}/live`, { headers: { 'x-request-id': 'a"b' } });
    assert.match(odd.headers.get('x-request-id')!, /^[0-9a-f-]{36}$/);
  });
});
