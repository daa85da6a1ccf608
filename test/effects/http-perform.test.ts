import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import type { JsonObject } from '../../src/contracts/records.ts';
import { Breakers } from '../../src/effects/breaker.ts';
import { parseReachable } from '../../src/effects/http/addresses.ts';
import { performHttp } from '../../src/effects/http/perform.ts';
import { parseHttpRequest } from '../../src/effects/http/request.ts';
import { HttpBench, textOf } from './http-bench.ts';
import { answer, raw, type Seen } from './scripted-server.ts';

const bench = new HttpBench();
const last = (): Seen => bench.server.seen.at(-1)!;

describe('an http effect', () => {
  it('sends what was asked, on a connection of its own, and tells status, url, headers and text', async () => {
    bench.server.on(
      '/x',
      answer(201, 'ü', { 'content-type': 'text/plain', etag: '"1"', 'x-secret': '1', 'set-cookie': 'a' }),
    );
    const before = bench.server.connections;
    const request = { url: bench.at('/x?q=1#f'), method: 'POST', headers: { 'X-Key': ' k ' }, json: { b: 1, a: 'ü' } };
    const result = await bench.perform(request);
    assert.deepEqual(result, {
      ok: true,
      body: { status: 201, url: bench.at('/x?q=1'), headers: { 'content-type': 'text/plain', etag: '"1"' }, text: 'ü' },
    });
    const { method, target, headers, body } = last();
    assert.deepEqual([method, target, body], ['POST', '/x?q=1', '{"a":"ü","b":1}']);
    assert.deepEqual(headers, {
      host: `host.test:${bench.server.port}`,
      'user-agent': 'chimera',
      'x-key': 'k',
      'content-type': 'application/json',
      'content-length': '16',
      'accept-encoding': 'identity',
      'idempotency-key': hash('sha256', 'execution/1/0'),
      connection: 'close',
    });
    await bench.perform({ url: bench.at('/good') });
    assert.equal(bench.server.connections, before + 2);
    assert.equal('idempotency-key' in last().headers, false, 'a safe method needs none');
  });

  it('tells what is no plain text in base64, and nothing of a HEAD but its headers', async () => {
    for (const [body, told] of [
      [Uint8Array.of(0xff, 0xfe), { base64: '//4=' }],
      ['a\0b', { base64: 'YQBi' }],
      ['a\tb\r\n', { text: 'a\tb\r\n' }],
      ['\ufeffa', { text: '\ufeffa' }],
      ['', { text: '' }],
    ] as const) {
      bench.server.on('/x', answer(200, body));
      const result = await bench.perform({ url: bench.at('/x') });
      assert.deepEqual(result.ok && result.body, { status: 200, url: bench.at('/x'), headers: {}, ...told });
    }
    bench.server.on('/x', answer(200, '', { 'content-length': '99999999999' }));
    assert.equal(textOf(await bench.perform({ url: bench.at('/x'), method: 'HEAD' })), '');
  });

  it('answers a failing status as what it is', async () => {
    for (const status of [204, 304, 400, 404, 500, 503]) {
      bench.server.on('/x', answer(status, '', status === 304 ? { location: '/good' } : {}));
      const result = await bench.perform({ url: bench.at('/x') });
      assert.equal(result.ok && (result.body as JsonObject)['status'], status);
    }
    bench.server.on('/x', answer(302, 'nowhere'));
    assert.equal(textOf(await bench.perform({ url: bench.at('/x') })), 'nowhere');
  });

  describe('redirected', () => {
    const cases: [status: number, method: string, then: string, body: string][] = [
      [301, 'POST', 'GET', ''],
      [302, 'POST', 'GET', ''],
      [303, 'POST', 'GET', ''],
      [303, 'PUT', 'GET', ''],
      [302, 'PUT', 'PUT', 'b'],
      [307, 'POST', 'POST', 'b'],
      [308, 'PATCH', 'PATCH', 'b'],
    ];
    for (const [status, method, then, body] of cases)
      it(`by ${status} after ${method} goes on with ${then}`, async () => {
        bench.server.on('/x', answer(status, '', { location: 'good?y' }));
        const result = await bench.perform({ url: bench.at('/x'), method, text: 'b', headers: { cookie: 'c' } });
        assert.equal(result.ok && (result.body as JsonObject)['url'], bench.at('/good?y'));
        const seen = last();
        assert.deepEqual([seen.method, seen.body, seen.headers['cookie']], [then, body, 'c']);
        assert.equal(seen.headers['content-type'], body === '' ? undefined : 'text/plain; charset=utf-8');
        assert.equal('idempotency-key' in seen.headers, then !== 'GET');
      });

    it('to another origin leaves everything behind that may be a secret', async () => {
      bench.server.on('/x', answer(307, '', { location: `http://other.host.test:${bench.server.port}/good` }));
      const headers = { Authorization: 'Bearer s', Cookie: 'a=b', 'X-Api-Key': 's', Accept: 'text/html' };
      await bench.perform({ url: bench.at('/x'), method: 'POST', text: 'b', headers });
      const { headers: sent, head } = last();
      assert.equal(sent['host'], `other.host.test:${bench.server.port}`);
      assert.deepEqual([sent['accept'], sent['content-type']], ['text/html', 'text/plain; charset=utf-8']);
      assert.doesNotMatch(head, /authorization|cookie|x-api-key/i);
    });

    it('five times is the most', async () => {
      bench.server.on('/x', (socket, seen) => {
        const left = Number(seen.target.split('?')[1]);
        answer(302, '', { location: left === 1 ? '/good' : `/x?${left - 1}` })(socket, seen);
      });
      assert.equal(textOf(await bench.perform({ url: bench.at('/x?5') })), 'good');
      const { ok, ...rest } = await bench.perform({ url: bench.at('/x?6') });
      assert.deepEqual([ok, rest], [false, { code: 'CHIMERA_FORBIDDEN', message: 'more than 5 redirects' }]);
    });
  });

  describe('without an answer', () => {
    const failing = (times: number): (() => number) => {
      let calls = 0;
      bench.server.on('/x', (socket, seen) => (++calls > times ? answer(200, 'late') : raw('', 'reset'))(socket, seen));
      return () => calls;
    };

    for (const method of ['GET', 'PUT', 'DELETE'])
      it(`is tried again, twice, where it may be repeated: ${method}`, async () => {
        const policy = bench.policy({ retryDelaysMs: [1, 2] });
        const good = failing(2);
        assert.equal(textOf(await bench.perform({ url: bench.at('/x'), method }, policy)), 'late');
        assert.equal(good(), 3);
        const bad = failing(3);
        const result = await bench.perform({ url: bench.at('/x'), method }, policy);
        assert.equal(!result.ok && result.code, 'CHIMERA_UNREACHABLE');
        assert.equal(bad(), 3);
      });

    it('is not repeated where it may have happened, nor where the answer had begun', async () => {
      const policy = bench.policy({ retryDelaysMs: [1, 2] });
      for (const method of ['POST', 'PATCH']) {
        const calls = failing(1);
        assert.equal((await bench.perform({ url: bench.at('/x'), method }, policy)).ok, false);
        assert.equal(calls(), 1);
      }
      let calls = 0;
      bench.server.on('/x', (socket, seen) => {
        calls++;
        raw('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na')(socket, seen);
      });
      assert.equal((await bench.perform({ url: bench.at('/x') }, policy)).ok, false);
      assert.equal(calls, 1);
    });

    it('goes to the next address of the name where the first one does not listen', async () => {
      const policy = bench.policy({
        reachable: parseReachable([`127.0.0.0/8:${bench.server.port}`, `[::1]:${bench.server.port}`]),
        resolve: () =>
          Promise.resolve([
            { address: '127.0.0.9', family: 4 },
            { address: '127.0.0.1', family: 4 },
          ]),
      });
      assert.equal(textOf(await bench.perform({ url: bench.at('/good') }, policy)), 'good');
    });
  });

  describe('behind a circuit', () => {
    const fail = async (breakers: Breakers, changes = {}, request = {}): Promise<string> => {
      const result = await bench.perform({ url: bench.at('/x'), ...request }, bench.policy({ breakers, ...changes }));
      return result.ok ? 'ok' : result.message.replace(/:\d+/, '');
    };

    it('is answered at once after five failures of the host, which other hosts do not feel', async () => {
      bench.server.on('/x', raw('', 'reset'));
      const breakers = new Breakers();
      for (let i = 0; i < 5; i++) assert.match(await fail(breakers), /the connection broke/);
      const { length } = bench.server.seen;
      assert.equal(await fail(breakers), 'host.test is not reachable: circuit open');
      assert.equal(bench.server.seen.length, length);
      assert.deepEqual(breakers.states(), { [`http p host.test:${bench.server.port}`]: 'open' });
      const other = { url: `http://other.host.test:${bench.server.port}/good` };
      assert.equal(textOf(await bench.perform(other, bench.policy({ breakers }))), 'good');
    });

    it('cannot be shut out by an agent that gives up early or asks for what is not allowed', async () => {
      bench.server.on('/x', raw('', 'hang'));
      const breakers = new Breakers({ failures: 2 });
      for (let i = 0; i < 3; i++) assert.match(await fail(breakers, {}, { timeoutMs: 10 }), /longer than 10 ms/);
      for (let i = 0; i < 3; i++) assert.match(await fail(breakers, { reachable: [] }), /not allowed/);
      assert.equal(await bench.goesOn(bench.policy({ breakers })), undefined);
      for (let i = 0; i < 2; i++) assert.match(await fail(breakers, { timeoutMs: 10 }), /longer than 10 ms/);
      assert.match(await fail(breakers), /circuit open/);
    });
  });

  it('that is cancelled is thrown, for nobody knows what came of it', async () => {
    const stop = new AbortController();
    bench.server.on('/x', () => stop.abort());
    const call = { idempotencyKey: 'k', signal: stop.signal, project: 'p' };
    const request = parseHttpRequest({ url: bench.at('/x') });
    const cancelled = { name: 'ChimeraError', code: 'CHIMERA_CANCELLED' };
    await assert.rejects(performHttp(request, bench.policy(), call), cancelled);
    await assert.rejects(performHttp(request, bench.policy(), call), cancelled, 'and is not begun');
  });
});
