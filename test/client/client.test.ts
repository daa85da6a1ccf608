import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { ChimeraApiError, ChimeraClient } from '../../src/client/index.ts';

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

type Reply = (response: ServerResponse, seen: Seen) => void;

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Reply =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
const failure = (status: number, code: string, more: object = {}): Reply =>
  json(status, { error: { code, message: 'no', action: 'do something', requestId: 'r1', ...more } });
const drop: Reply = (response) => response.destroy();

describe('client', () => {
  let server: Server;
  let seen: Seen[];
  let replies: Reply[];
  let client: ChimeraClient;

  before(async () => {
    server = createServer((request, response) => {
      void text(request)
        .then((body) => {
          const call = { method: request.method!, url: request.url!, headers: request.headers, body };
          seen.push(call);
          replies.shift()!(response, call);
        })
        .catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    seen = [];
    replies = [];
    client = new ChimeraClient({
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      apiKey: 'secret',
      retry: { initialMs: 1, maximumMs: 2 },
    });
  });

  const task = { taskType: 'labels', payload: { text: 'x' } };

  it('sends the key and repeats a call with the same idempotency key until it succeeds', async () => {
    replies = [drop, failure(503, 'CHIMERA_STORE_UNAVAILABLE'), json(202, { taskId: 't' })];
    assert.equal((await client.submit(task)).taskId, 't');
    assert.equal(seen.length, 3);
    assert.equal(seen[0]!.headers.authorization, 'Bearer secret');
    const keys = new Set(seen.map(({ body }) => (JSON.parse(body) as { key: string }).key));
    assert.equal(keys.size, 1);
    assert.match([...keys][0]!, /^[0-9a-f-]{36}$/);
  });

  it('publishes again what got no answer: the same module and manifest are the same version', async () => {
    replies = [drop, json(200, { created: false })];
    const publication = { manifest: { description: 'x' }, module: 'AGFzbQ==' };
    assert.equal((await client.publishAgent('a/b', publication)).created, false);
    assert.deepEqual(
      seen.map(({ method, url, body }) => [method, url, JSON.parse(body) as object]),
      [0, 1].map(() => ['POST', '/v1/agents/a%2Fb/versions', publication]),
    );
  });

  it('does not repeat what cannot succeed, and says all there is to say', async () => {
    const problems = [{ path: '/payload/text', message: 'must be string' }];
    replies = [failure(400, 'CHIMERA_INVALID_INPUT', { problems })];
    await assert.rejects(client.submit(task), (error) => {
      assert.ok(error instanceof ChimeraApiError);
      assert.deepEqual(
        [error.code, error.status, error.action, error.requestId, error.retryable],
        ['CHIMERA_INVALID_INPUT', 400, 'do something', 'r1', false],
      );
      assert.deepEqual(error.problems, problems);
      return true;
    });
    assert.equal(seen.length, 1);
  });

  it('gives up after the attempts it has', async () => {
    replies = Array.from({ length: 5 }, () => failure(503, 'CHIMERA_STORE_UNAVAILABLE'));
    await assert.rejects(client.getTask('a/b'), { code: 'CHIMERA_STORE_UNAVAILABLE' });
    assert.equal(seen.length, 5);
    assert.equal(seen[0]!.url, '/v1/tasks/a%2Fb');
  });

  it('waits as Retry-After says', async () => {
    replies = [
      json(
        429,
        { error: { code: 'CHIMERA_RATE_LIMITED', message: 'slow', action: 'wait', requestId: 'r' } },
        { 'retry-after': '0' },
      ),
      json(200, {}),
    ];
    await client.getTask('t');
    assert.equal(seen.length, 2);
  });

  it('tells a proxy from the API', async () => {
    const proxy: Reply = (response) => response.writeHead(502).end('<html>Bad gateway</html>');
    replies = Array.from({ length: 5 }, () => proxy);
    await assert.rejects(client.getTask('t'), { code: 'CHIMERA_UNREACHABLE', status: 502 });
  });

  it('says where it did not get through', async () => {
    const nowhere = new ChimeraClient({ baseUrl: 'http://127.0.0.1:1', retry: { attempts: 1 } });
    await assert.rejects(nowhere.getTask('t'), /not reachable at http:\/\/127\.0\.0\.1:1: /);
  });

  it('waits for a result over as many calls as it takes', async () => {
    replies = [json(202, { state: 'accepted' }), json(202, { state: 'running' }), json(200, { state: 'failed' })];
    assert.equal((await client.submitAndWait(task)).state, 'failed');
    assert.equal(new Set(seen.map(({ body }) => body)).size, 1);
    assert.match(seen[0]!.url, /wait=30000$/);
  });

  it('gives up waiting when told', async () => {
    const slow: Reply = (response, call) => setTimeout(() => json(202, { state: 'running' })(response, call), 15);
    replies = [slow];
    assert.equal((await client.submitAndWait(task, { timeoutMs: 10 })).state, 'running');
    assert.match(seen[0]!.url, /wait=\d{1,2}$/);
  });

  it('streams a batch as it is made', async () => {
    const answer = json(202, { batchId: 'b', count: 3000 });
    replies = [answer];
    let made = 0;
    async function* items(): AsyncGenerator<{ payload: { text: string } }> {
      for (; made < 3000; made += 1) {
        if (made % 500 === 0) await Promise.resolve();
        yield { payload: { text: `${made}`.padEnd(100) } };
      }
    }
    const { count } = await client.submitBatch('a type', items(), { key: 'k' });
    assert.equal(count, 3000);
    assert.equal(seen[0]!.url, '/v1/task-types/a%20type/batches?key=k');
    assert.equal(seen[0]!.headers['content-type'], 'application/x-ndjson');
    const lines = seen[0]!.body.trimEnd().split('\n');
    assert.equal(lines.length, 3000);
    assert.equal((JSON.parse(lines[2999]!) as { payload: { text: string } }).payload.text.trim(), '2999');
  });

  it('sends a batch again only where it can be made again', async () => {
    const items = [{ payload: 1 }];
    replies = [failure(503, 'CHIMERA_STORE_UNAVAILABLE'), json(202, { count: 1 })];
    await client.submitBatch('labels', items);
    assert.equal(seen.length, 2);
    assert.equal(seen[0]!.url, seen[1]!.url);
    assert.equal(seen[1]!.body, '{"payload":1}\n');
    replies = [failure(503, 'CHIMERA_STORE_UNAVAILABLE')];
    await assert.rejects(client.submitBatch('labels', items.values()), { code: 'CHIMERA_STORE_UNAVAILABLE' });
    assert.equal(seen.length, 3);
  });

  it("passes an error of the caller's own iterable on as it is", async () => {
    const broken = async function* (): AsyncGenerator<{ payload: number }> {
      yield { payload: 1 };
      await Promise.resolve();
      throw new RangeError('the file ends in the middle');
    };
    replies = [drop];
    await assert.rejects(client.submitBatch('labels', broken()), RangeError);
  });

  it('reports each change of a cycle once', async () => {
    const running = { id: 'c', state: 'running', phase: 'training' };
    const states = [running, running, { ...running, phase: 'evolving' }, { id: 'c', state: 'completed' }];
    replies = states.map((state) => json(200, state));
    const phases: (string | undefined)[] = [];
    const closed = await client.waitForCycle('c', { pollMs: 1, onProgress: ({ phase }) => phases.push(phase) });
    assert.equal(closed.state, 'completed');
    assert.deepEqual(phases, ['training', 'evolving', undefined]);
  });

  it('stops waiting when asked to', async () => {
    replies = [json(200, { id: 'c', state: 'running' })];
    const stop = new AbortController();
    const waiting = client.waitForCycle('c', {
      pollMs: 60_000,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    });
    await assert.rejects(waiting, /enough/);
  });

  it('goes through a transcript page after page, as it is taken', async () => {
    const page = (turns: number[], next?: number): Reply =>
      json(200, { effects: turns.map((turn) => ({ turn })), ...(next === undefined ? {} : { next }) });
    replies = [page([3, 4], 5), page([5])];
    const turns: number[] = [];
    for await (const { turn } of client.executions.transcript('a/b', { from: 3, limit: 2 })) turns.push(turn);
    assert.deepEqual(turns, [3, 4, 5]);
    assert.deepEqual(
      seen.map(({ url }) => url),
      ['/v1/executions/a%2Fb/effects?from=3&limit=2', '/v1/executions/a%2Fb/effects?from=5&limit=2'],
    );
  });

  it('answers and controls again where it cannot know whether it got through', async () => {
    replies = [drop, json(200, { state: 'answered' }), drop, json(200, { state: 'paused' })];
    await client.approvals.answer('e.1.0', null);
    await client.executions.pause('e');
    assert.deepEqual(
      seen.map(({ method, url, body }) => [method, url, body]),
      [
        ['POST', '/v1/approvals/e.1.0', '{"answer":null}'],
        ['POST', '/v1/approvals/e.1.0', '{"answer":null}'],
        ['POST', '/v1/executions/e/pause', '{}'],
        ['POST', '/v1/executions/e/pause', '{}'],
      ],
    );
  });
});
