import assert from 'node:assert/strict';
import { ERRORS, type ErrorCode } from '../../src/contracts/errors.ts';
import type { ErrorBody } from '../../src/client/errors.ts';
import { LABELS, PROJECT, startPlatform, type Platform } from './fixture.ts';

describe('gateway: it refuses', function () {
  this.timeout(240_000);
  let platform: Platform;

  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform?.close());

  const task = (payload: unknown, more: object = {}): string =>
    JSON.stringify({ taskType: 'labels', payload, ...more });
  const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const NDJSON = { 'content-type': 'application/x-ndjson' };

  const table: {
    what: string;
    method?: string;
    path?: string;
    body?: string | Uint8Array;
    headers?: Record<string, string>;
    code: ErrorCode;
    /** Where it is not that of the code. */
    status?: number;
    says: RegExp;
  }[] = [
    { what: 'malformed JSON', body: '{"taskType": "labels", ', code: 'CHIMERA_MALFORMED_JSON', says: /not JSON/ },
    {
      what: 'bytes that are not UTF-8',
      body: Buffer.from('{"taskType": "labels", "payload": {"text": "caf\xe9"}}', 'latin1'),
      code: 'CHIMERA_MALFORMED_JSON',
      says: /UTF-8/,
    },
    {
      what: 'a payload against the schema, all problems at once',
      body: task({ size: -1, extra: true }),
      code: 'CHIMERA_INVALID_INPUT',
      says: /required property 'text'[\s\S]*must be >= 0|must be >= 0[\s\S]*required property 'text'/,
    },
    {
      what: 'a body against the API schema, all problems at once',
      body: JSON.stringify({ payload: { text: 'x' }, priority: 9, colour: 'red' }),
      code: 'CHIMERA_INVALID_INPUT',
      says: /\/taskType[\s\S]*\/priority[\s\S]*colour/,
    },
    {
      what: '100-deep nesting',
      body: task({ text: 'x', tree: JSON.parse(nested(100)) as unknown }),
      code: 'CHIMERA_TOO_LARGE',
      says: /levels/,
    },
    {
      what: 'an unknown task type, naming the known ones',
      body: JSON.stringify({ taskType: 'poems', payload: {} }),
      code: 'CHIMERA_UNKNOWN_TASK_TYPE',
      says: /poems[\s\S]*labels/,
    },
    {
      what: 'a missing key',
      body: task({ text: 'x' }),
      headers: { authorization: '' },
      code: 'CHIMERA_UNAUTHENTICATED',
      says: /API key/,
    },
    {
      what: 'a wrong key',
      body: task({ text: 'x' }),
      headers: { authorization: 'Bearer chimera_wrong' },
      code: 'CHIMERA_UNAUTHENTICATED',
      says: /API key/,
    },
    {
      what: 'another way to authenticate',
      body: task({ text: 'x' }),
      headers: { authorization: 'Basic dXNlcjpwYXNz' },
      code: 'CHIMERA_UNAUTHENTICATED',
      says: /API key/,
    },
    {
      what: 'another media type',
      body: 'taskType=labels',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      code: 'CHIMERA_INVALID_INPUT',
      status: 415,
      says: /send application\/json/,
    },
    {
      what: 'a body without a media type',
      body: Buffer.from('{"taskType": "labels"}'),
      headers: { 'content-type': '' },
      code: 'CHIMERA_INVALID_INPUT',
      status: 415,
      says: /send application\/json/,
    },
    {
      what: 'a method that the path does not have, whatever the body is',
      path: '/v1/tasks/some-task',
      body: 'x',
      headers: { 'content-type': 'text/plain' },
      code: 'CHIMERA_INVALID_INPUT',
      status: 405,
      says: /POST is not a method of \/v1\/tasks\/some-task, GET is/,
    },
    {
      what: 'what is missing and what is empty, in words',
      body: '{"key": ""}',
      code: 'CHIMERA_INVALID_INPUT',
      says: /^\/taskType: is required\n\/payload: is required\n\/key: must not be empty$/m,
    },
    {
      what: 'an empty list',
      path: '/v1/dead-letters/redrive',
      body: '{"taskIds": []}',
      code: 'CHIMERA_INVALID_INPUT',
      says: /^\/taskIds: must not be empty$/m,
    },
    {
      what: 'two different idempotency keys',
      body: task({ text: 'x' }, { key: 'one' }),
      headers: { 'idempotency-key': 'two' },
      code: 'CHIMERA_INVALID_INPUT',
      says: /differs from the header/,
    },
    {
      what: 'a wait that is no number',
      path: '/v1/tasks?wait=soon',
      body: task({ text: 'x' }),
      code: 'CHIMERA_INVALID_INPUT',
      says: /wait/,
    },
    {
      what: 'a task that is not there',
      method: 'GET',
      path: '/v1/tasks/nothing',
      code: 'CHIMERA_NOT_FOUND',
      says: /nothing/,
    },
    {
      what: 'a batch that is not there',
      method: 'GET',
      path: '/v1/batches/nothing',
      code: 'CHIMERA_NOT_FOUND',
      says: /nothing/,
    },
    { what: 'a route that is not there', method: 'GET', path: '/v1/nothing', code: 'CHIMERA_NOT_FOUND', says: /route/ },
    {
      what: 'a cycle that is not there',
      method: 'GET',
      path: "/v1/cycles/x'%20OR%20'1",
      code: 'CHIMERA_NOT_FOUND',
      says: /cycle/,
    },
    {
      what: 'a report that is not there',
      method: 'GET',
      path: '/v1/reports/x',
      code: 'CHIMERA_NOT_FOUND',
      says: /report/,
    },
    {
      what: 'a cycle of an unknown task type',
      path: '/v1/cycles',
      body: '{"taskType": "poems"}',
      code: 'CHIMERA_UNKNOWN_TASK_TYPE',
      says: /labels/,
    },
    {
      what: 'a cycle for another project',
      path: '/v1/cycles',
      body: '{"taskType": "labels", "project": "other"}',
      code: 'CHIMERA_INVALID_INPUT',
      says: /project/,
    },
    {
      what: 'a batch of an unknown task type',
      path: '/v1/task-types/poems/batches',
      body: '{"payload": {}}\n',
      headers: NDJSON,
      code: 'CHIMERA_UNKNOWN_TASK_TYPE',
      says: /labels/,
    },
    {
      what: 'a batch with bad lines, all of them named',
      path: '/v1/task-types/labels/batches',
      body: '{"payload": {"text": "good"}}\n\n{"payload": {"text": 7}}\n{"payload": \n{"payload": {"text": "x"}, "colour": 1}\n',
      headers: NDJSON,
      code: 'CHIMERA_INVALID_INPUT',
      says: /line 3\/payload\/text[\s\S]*line 4[\s\S]*line 5[\s\S]*colour/,
    },
    {
      what: 'an empty batch',
      path: '/v1/task-types/labels/batches',
      body: '\n',
      headers: NDJSON,
      code: 'CHIMERA_INVALID_INPUT',
      says: /empty/,
    },
    {
      what: 'a batch with a key twice',
      path: '/v1/task-types/labels/batches',
      body: '{"key": "k", "payload": {"text": "a"}}\n{"key": "k", "payload": {"text": "b"}}\n',
      headers: NDJSON,
      code: 'CHIMERA_INVALID_INPUT',
      says: /key of line 1/,
    },
    {
      what: 'feedback for a task that is not there',
      path: '/v1/feedback',
      body: '{"taskId": "nothing", "feedback": {"kind": "boolean", "value": true}}',
      code: 'CHIMERA_INVALID_INPUT',
      says: /./,
    },
    {
      what: 'feedback for nobody',
      path: '/v1/feedback',
      body: '{"feedback": {"kind": "boolean", "value": true}}',
      code: 'CHIMERA_INVALID_INPUT',
      says: /either taskId or key/,
    },
    {
      what: 'feedback of a wrong kind',
      path: '/v1/feedback',
      body: '{"taskId": "x", "feedback": {"kind": "applause", "value": true}}',
      code: 'CHIMERA_INVALID_INPUT',
      says: /feedback\/kind/,
    },
    {
      what: 'a task type that is none',
      path: '/v1/task-types',
      body: '{"name": "Bad Name", "version": 1}',
      code: 'CHIMERA_INVALID_INPUT',
      says: /\/name[\s\S]*\/input[\s\S]*\/scorer/,
    },
    {
      what: 'a champion that is not there',
      path: '/v1/task-types/labels/deployment',
      body: '{"champion": "nobody"}',
      code: 'CHIMERA_NOT_FOUND',
      says: /nobody/,
    },
  ];

  for (const { what, method = 'POST', path = '/v1/tasks', body, headers, code, status, says } of table)
    it(what, async () => {
      const response = await platform.call(method, path, body ?? null, headers);
      const text = await response.text();
      assert.equal(response.status, status ?? ERRORS[code].status, text);
      const { error } = JSON.parse(text) as ErrorBody;
      assert.equal(error.code, code);
      const namesNothing = code === 'CHIMERA_NOT_FOUND' && error.problems === undefined;
      assert.equal(error.action, namesNothing ? 'Check the name.' : ERRORS[code].action);
      assert.equal(response.headers.get('allow'), status === 405 ? 'GET' : null);
      assert.equal(error.requestId, response.headers.get('x-request-id'));
      assert.match(
        `${error.message}\n${(error.problems ?? []).map((p) => `${p.path}: ${p.message}`).join('\n')}`,
        says,
      );
      assert.doesNotMatch(text, /\bat .*\.ts:/, 'no stack trace leaves the gateway');
    });

  it('a body of 10 MB that comes in pieces', async () => {
    const chunk = new Uint8Array(64 * 1024).fill(0x20);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent >= 10 * 1024 * 1024) controller.close();
        else controller.enqueue(chunk);
        sent += chunk.length;
      },
    });
    const response = await fetch(`${platform.baseUrl}/v1/tasks`, {
      method: 'POST',
      headers: { authorization: `Bearer ${platform.apiKey}`, 'content-type': 'application/json' },
      body,
      duplex: 'half',
    } as RequestInit);
    assert.equal(response.status, 413);
    assert.equal(((await response.json()) as ErrorBody).error.code, 'CHIMERA_TOO_LARGE');
  });

  it('a body of 10 MB that says so', async () => {
    const response = await platform.call('POST', '/v1/tasks', task({ text: 'x'.repeat(10_000_000) }));
    assert.equal(response.status, 413);
  });

  it('and nothing of it was accepted: the stream is empty, the gateway is well', async () => {
    assert.equal(await platform.stores.tasks.nextOrdinal(PROJECT, LABELS.name), 0);
    assert.deepEqual(await platform.stores.batches.list(PROJECT), []);
    assert.equal((await platform.call('GET', '/health', null, { authorization: '' })).status, 200);
  });
});
