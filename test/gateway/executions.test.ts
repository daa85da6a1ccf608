import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { createHash } from 'node:crypto';
import { ChimeraApiError, ChimeraClient, type EffectView } from '../../src/client/index.ts';
import { workflowId } from '../../src/contracts/names.ts';
import type { JsonValue } from '../../src/contracts/records.ts';
import { createGateway } from '../../src/gateway/server.ts';
import type { NewEffect } from '../../src/stores/index.ts';
import { calls } from '../agents/tools/counting.ts';
import { until } from '../helpers/platform.ts';
import { ask, count, openScripts, type Scripts } from './scripts.ts';

const refusal = async (call: Promise<unknown>): Promise<ChimeraApiError> => {
  const error = await call.then(
    () => assert.fail('it was not refused'),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof ChimeraApiError, String(error));
  return error;
};
const bodies = ({ output }: { output?: JsonValue }): JsonValue[] =>
  (output as { seen: { body: JsonValue }[] }).seen.map(({ body }) => body);

describe('gateway: executions that go turn by turn', function () {
  this.timeout(180_000);
  let scripts: Scripts;
  let client: ChimeraClient;

  before(async () => {
    scripts = await openScripts();
    client = scripts.client;
  });
  after(() => scripts?.close());

  it('shows who asks what, takes the answer, and the execution goes on at once', async () => {
    const id = await scripts.submit([[ask('Pay it?', { options: ['yes', 'no'] })], [ask('How much?')]]);
    const waiting = await scripts.waiting(id);
    assert.match(waiting.now!.waitsFor[0]!, /Pay it\?/);
    const [first] = waiting.questions;
    assert.deepEqual(
      [first?.question, first?.options, first?.taskId, first?.agentVersion, first?.turn, first?.state],
      ['Pay it?', ['yes', 'no'], id, scripts.version, 0, 'open'],
    );
    assert.deepEqual((await client.getTask(id)).execution, { executionId: id, link: `/v1/executions/${id}` });
    const wrong = await refusal(client.approvals.answer(first!.approvalId, 'perhaps'));
    assert.deepEqual(
      [wrong.code, wrong.problems],
      ['CHIMERA_INVALID_INPUT', [{ path: '/answer', message: 'must be one of "yes", "no"' }]],
    );
    const answered = await client.approvals.answer(first!.approvalId, 'yes');
    assert.deepEqual([answered.state, answered.answer, answered.answeredBy], ['answered', 'yes', 'ada']);
    assert.deepEqual(await client.approvals.answer(first!.approvalId, 'yes'), answered);
    assert.equal((await refusal(client.approvals.answer(first!.approvalId, 'no'))).code, 'CHIMERA_CONFLICT');
    // The workflow looks for lost news after half a minute: only a signal is this quick.
    const second = await scripts.question(id);
    assert.equal(second.question, 'How much?');
    await client.approvals.answer(second.approvalId, null);
    const task = await scripts.resolved(id);
    assert.deepEqual(bodies(task), [
      { answer: 'yes', by: 'ada' },
      { answer: null, by: 'ada' },
    ]);
    assert.deepEqual(await client.approvals.list({ execution: id }), []);
    const all = await client.approvals.list({ execution: id, all: true });
    assert.deepEqual(
      all.map(({ answer }) => answer),
      ['yes', null],
    );
    assert.deepEqual(await client.approvals.get(second.approvalId), all[1]);
    const done = await client.executions.get(id);
    assert.deepEqual([done.state, done.output, done.questions], ['completed', task.output, []]);
    assert.equal(done.record!['turns'], 3);
    // It is done, but the answer was given before: saying it once more is no error.
    assert.equal((await client.approvals.answer(first!.approvalId, 'yes')).state, 'answered');
  });

  it('is paused, resumed and cancelled, twice as well as once', async () => {
    const id = await scripts.submit([[ask('Go on?')]]);
    await scripts.waiting(id);
    const paused = await client.executions.pause(id);
    assert.deepEqual([paused.state, paused.now?.state], ['paused', 'paused']);
    assert.equal((await client.executions.pause(id)).state, 'paused');
    assert.deepEqual(
      (await client.executions.list({ state: 'paused' })).map(({ executionId }) => executionId),
      [id],
    );
    await client.approvals.answer((await scripts.question(id)).approvalId, 'yes');
    assert.equal((await client.executions.get(id)).state, 'paused');
    assert.notEqual((await client.executions.resume(id)).state, 'paused');
    assert.equal((await scripts.resolved(id)).state, 'completed');
    const late = await refusal(client.executions.pause(id));
    assert.deepEqual(
      [late.code, late.problems],
      ['CHIMERA_CONFLICT', [{ path: '/state', message: 'is completed: there is nothing left to pause' }]],
    );
    assert.equal((await refusal(client.executions.cancel(id))).code, 'CHIMERA_CONFLICT');

    const unwanted = await scripts.submit([[count(1)], [ask('Shall I?')]]);
    await scripts.waiting(unwanted);
    const question = await scripts.question(unwanted);
    await client.executions.cancel(unwanted);
    const task = await scripts.resolved(unwanted);
    assert.deepEqual(task.reason, { code: 'cancelled', message: 'cancelled by ada' });
    assert.equal((await client.executions.cancel(unwanted)).reason?.code, 'cancelled');
    assert.equal((await refusal(client.executions.resume(unwanted))).code, 'CHIMERA_CONFLICT');
    assert.deepEqual(await client.approvals.list({ execution: unwanted }), []);
    assert.equal((await client.approvals.get(question.approvalId)).state, 'over');
    const over = await refusal(client.approvals.answer(question.approvalId, 'yes'));
    assert.deepEqual([over.code, over.problems[0]?.message], ['CHIMERA_CONFLICT', `the execution ${unwanted} is done`]);
  });

  it('forks from a turn, once however often it is asked to', async () => {
    const id = await scripts.submit([[count(1)], [count(2)], [count(3)]]);
    const task = await scripts.resolved(id);
    const before = calls.length;
    const fork = await client.executions.fork(id, { turn: 2, seed: '7', agentVersion: scripts.version.slice(0, 10) });
    assert.deepEqual([fork.parent, fork.fromTurn, fork.config.seed], [id, 2, '7']);
    assert.equal(fork.agentVersion, scripts.version);
    assert.equal(fork.link, `/v1/executions/${fork.executionId}`);
    const done = await until('the fork', async () => {
      const found = await client.executions.get(fork.executionId);
      return found.state === 'completed' ? found : undefined;
    });
    assert.deepEqual(bodies(done).slice(0, 2), bodies(task).slice(0, 2));
    assert.equal(calls.length, before + 1, 'what came before was taken over');
    const again = await client.executions.fork(id, { turn: 2, seed: '7' });
    assert.deepEqual([again.executionId, again.state], [fork.executionId, 'completed']);
    assert.equal(calls.length, before + 1);
    const ofTask = await client.executions.list({ task: id });
    assert.deepEqual(
      ofTask.map(({ executionId }) => executionId),
      [fork.executionId, id],
    );
    assert.deepEqual((await client.getTask(id)).output, task.output, 'the task keeps its answer');
    const { effects } = await client.executions.effects(fork.executionId);
    assert.deepEqual(
      effects.map(({ answeredBy }) => answeredBy),
      [id, id, 'counting'],
    );
  });

  it('refuses a fork that cannot be with every problem, and starts nothing', async () => {
    const id = await scripts.submit([[count(1)]]);
    await scripts.resolved(id);
    const shape = { turn: -1, seed: 'x', budget: { turns: 0 } };
    const malformed = await refusal(client.executions.fork(id, shape));
    assert.deepEqual(malformed.problems.map(({ path }) => path).sort(), ['/budget/turns', '/seed', '/turn']);
    const bad = await refusal(client.executions.fork(id, { turn: 99, agentVersion: 'nobody' }));
    assert.deepEqual(bad.problems, [
      { path: '/agentVersion', message: 'there is no agent named nobody' },
      { path: 'test', message: 'is a known agent' },
      { path: '/turn', message: 'the execution has 2 turns so far' },
    ]);
    assert.equal((await client.executions.list({ task: id })).length, 1);
  });

  it('reads a transcript page by page, never half a turn, and large bodies where they are asked for', async () => {
    const id = `long-${Date.now()}`;
    await scripts.opened(id);
    const large = JSON.stringify('x'.repeat(100_000));
    const artifact = await scripts.stores.artifacts.put(Buffer.from(large));
    const performed = (turn: number, index: number): NewEffect => ({
      ...{ turn, index, kind: 'tool', requestHash: 'h', request: { turn, index }, ok: true, scores: [] },
      ...{ body: turn === 3 ? artifact : '{}', answeredBy: 'host', cost: 0.5, tokens: 0 },
    });
    const sizes = [2, 1, 5, 2];
    await scripts.stores.effects.record(
      scripts.project,
      id,
      sizes.flatMap((size, turn) => Array.from({ length: size }, (_, index) => performed(turn, index))),
    );
    const turns: number[][] = [];
    let from: number | undefined = 0;
    while (from !== undefined) {
      const page: Awaited<ReturnType<typeof client.executions.effects>> = await client.executions.effects(id, {
        from,
        limit: 3,
      });
      turns.push(page.effects.map(({ turn }) => turn));
      from = page.next;
    }
    assert.deepEqual(turns, [
      [0, 0, 1],
      [2, 2, 2, 2, 2],
      [3, 3],
    ]);
    const all: EffectView[] = [];
    for await (const effect of client.executions.transcript(id, { limit: 1 })) all.push(effect);
    assert.deepEqual(
      all.map(({ request }) => request),
      all.map(({ turn, index }) => ({ turn, index })),
    );
    assert.equal(all.length, 10);
    assert.deepEqual(all.at(-1)?.artifact, { sha256: artifact.sha256, bytes: large.length });
    assert.equal('body' in all.at(-1)!, false);
    const { effects: fetched } = await client.executions.effects(id, { from: 3, full: true });
    assert.deepEqual(
      fetched.map(({ body }) => body),
      [JSON.parse(large), JSON.parse(large)],
    );
  });

  it('answers what its OpenAPI document says', async () => {
    const id = await scripts.submit([[count(1)], [ask('Which?', { options: [1, null], timeoutMs: 60_000 })]]);
    await scripts.waiting(id);
    const document = (await (await fetch(`${scripts.baseUrl}/openapi.json`)).json()) as object;
    const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } });
    ajv.addSchema({ ...document, $id: 'openapi' });
    const fits = (name: string, value: unknown): void => {
      const validate = ajv.compile({ $ref: `openapi#/components/schemas/${name}` });
      assert.ok(validate(value), `${name}: ${JSON.stringify(validate.errors)}`);
    };
    fits('ExecutionDetails', await client.executions.get(id));
    await client.approvals.answer((await scripts.question(id)).approvalId, null);
    fits('Task', await scripts.resolved(id));
    fits('ExecutionDetails', await client.executions.get(id));
    fits('Executions', {
      executions: [...(await client.executions.list()), await client.executions.fork(id, { turn: 1 })],
    });
    fits('Effects', await client.executions.effects(id));
    fits('Approvals', { approvals: await client.approvals.list({ all: true }) });
  });

  it('says so where no workflow runs it, or no worker answers', async () => {
    const id = `idle-${Date.now()}`;
    await scripts.opened(id);
    const idle = await client.executions.get(id);
    assert.deepEqual([idle.state, idle.noAnswer], ['running', 'no workflow runs it']);
    assert.equal((await refusal(client.executions.pause(id))).code, 'CHIMERA_NOT_FOUND');
    const { stores, project, apiKey, platform } = scripts;
    const lonely = createGateway({ stores, temporal: platform.temporal, config: { queuePrefix: `nobody-${id}-` } });
    try {
      const baseUrl = await lonely.listen({ host: '127.0.0.1', port: 0 });
      const { executions } = new ChimeraClient({ baseUrl, apiKey });
      const { executionId } = await executions.fork(id, { turn: 0 });
      assert.match((await executions.get(executionId)).noAnswer!, /no worker has answered/);
      await platform.temporal.workflow.getHandle(workflowId.execution(project, executionId)).terminate();
      assert.equal((await client.executions.get(executionId)).noAnswer, 'no workflow runs it');
    } finally {
      await lonely.close();
    }
  });

  it('shows nothing to a key of another project', async () => {
    const id = await scripts.submit([[ask('Who sees this?')]]);
    const { approvalId } = await scripts.question(id);
    const { executions, approvals } = scripts.stranger;
    assert.deepEqual([await executions.list(), await approvals.list({ all: true })], [[], []]);
    const refused = [
      executions.get(id),
      executions.effects(id),
      executions.pause(id),
      executions.cancel(id),
      executions.fork(id, { turn: 0 }),
      approvals.get(approvalId),
      approvals.answer(approvalId, 'me'),
    ].map(async (call) => (await refusal(call)).code);
    assert.deepEqual(new Set(await Promise.all(refused)), new Set(['CHIMERA_NOT_FOUND']));
    assert.equal((await client.approvals.get(approvalId)).state, 'open');
    await client.executions.cancel(id);
  });

  it('refuses what is no answer, no filter, no page', async () => {
    const { baseUrl, apiKey } = scripts;
    const call = (path: string, body?: string): Promise<Response> =>
      fetch(`${baseUrl}${path}`, {
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { method: 'POST', body }),
      });
    const problems = async (response: Response): Promise<string[]> => {
      assert.equal(response.status, 400);
      const { error } = (await response.json()) as { error: { problems: { path: string }[] } };
      return error.problems.map(({ path }) => path).sort();
    };
    assert.deepEqual(await problems(await call('/v1/approvals/x', '{}')), ['/answer']);
    assert.deepEqual(await problems(await call('/v1/executions?state=lost&limit=0')), ['/limit', '/state']);
    assert.deepEqual(await problems(await call('/v1/executions/x/effects?from=-1&full=yes')), ['/from', '/full']);
    assert.equal((await call('/v1/approvals/x', `{"answer":"${'x'.repeat(70_000)}"}`)).status, 413);
  });

  it('serves the page for people: its own script and no other, to anybody, and no data with it', async () => {
    const response = await fetch(`${scripts.baseUrl}/approvals`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type')!, /^text\/html/);
    const policy = response.headers.get('content-security-policy')!;
    const html = await response.text();
    for (const element of ['script', 'style']) {
      const [, content] = new RegExp(`<${element}>([^]*)</${element}>`).exec(html)!;
      const hash = createHash('sha256').update(content!).digest('base64');
      assert.ok(policy.includes(`${element}-src 'sha256-${hash}'`), `${element} is allowed by its hash`);
    }
    for (const rule of ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
      assert.ok(policy.includes(rule), rule);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
    assert.doesNotMatch(html, /innerHTML|outerHTML|insertAdjacent|document\.write|\bon\w+=|src=|href=|https?:/);
  });
});
