import assert from 'node:assert/strict';
import fc from 'fast-check';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { JsonObject, JsonValue } from '../../src/contracts/records.ts';
import { Breakers } from '../../src/effects/breaker.ts';
import { parseReachable } from '../../src/effects/http/addresses.ts';
import type { HttpPolicy } from '../../src/effects/http/perform.ts';
import { selfSigned } from './certificate.ts';
import { HttpBench, textOf, type Case } from './http-bench.ts';
import { answer, drip, flood, raw, ScriptedServer } from './scripted-server.ts';

/**
 * What an untrusted host may try. Every case names the wall that must stop it; whatever it was, a good request goes through
 * afterwards. Real sockets, on loopback only.
 */
const bench = new HttpBench();

describe('an http effect against hostile hosts', () => {
  describe('redirects', () => {
    const to = (location: string | (() => string), status = 302): Pick<Case, 'request' | 'script'> => ({
      request: () => ({ url: bench.at('/x') }),
      script: (socket, seen) =>
        answer(status, 'follow', { location: typeof location === 'string' ? location : location() })(socket, seen),
    });
    bench.stopped('the allow-list', 'CHIMERA_FORBIDDEN', /^the manifest does not allow http/, [
      { name: 'to loopback', ...to(() => `http://127.0.0.1:${bench.inside.port}/secret`) },
      { name: 'to loopback, without a scheme', ...to(() => `//127.1:${bench.inside.port}/secret`) },
      { name: 'to the metadata service', ...to('http://169.254.169.254/latest/meta-data/') },
      { name: 'to another host', ...to('https://evil.example/') },
      { name: 'to another port', ...to(() => `http://host.test:${bench.inside.port}/secret`) },
      {
        name: 'out of the allowed path',
        ...to('/x/../good'),
        policy: () => ({ allow: [`http://host.test:${bench.server.port}/x`] }),
      },
    ]);
    bench.stopped('the address', 'CHIMERA_FORBIDDEN', /its address may not be reached$/, [
      {
        name: 'to an allowed name that resolves to the inside',
        ...to(() => `http://bench.inside.test:${bench.inside.port}/secret`),
        policy: () => ({
          allow: [`http://host.test:${bench.server.port}`, `http://bench.inside.test:${bench.inside.port}`],
          resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
        }),
      },
    ]);
    bench.stopped('the redirect', 'CHIMERA_FORBIDDEN', /^(the redirect of host\.test:\d+|more than 5 redirects)/, [
      { name: 'to a file', ...to('file:///etc/passwd') },
      { name: 'to gopher', ...to('gopher://host.test/_x') },
      { name: 'to data', ...to('data:text/plain,x') },
      { name: 'to javascript', ...to('javascript:alert(1)') },
      { name: 'with credentials', ...to(() => `http://user:secret@host.test:${bench.server.port}/good`) },
      { name: 'with a backslash', ...to(() => `http:\\\\host.test:${bench.server.port}\\good`) },
      { name: 'with a tab in the scheme', ...to('ht\ttp://evil.example/') },
      { name: 'to what is no URL', ...to('http://[') },
      { name: 'to a URL that is too long', ...to(`/${'a'.repeat(3000)}`) },
      { name: 'to itself, for ever', ...to('/x') },
      {
        name: 'to ever new targets',
        request: () => ({ url: bench.at('/x') }),
        script: (socket, seen) =>
          answer(302, '', { location: `/x?${seen.target.length}a${seen.target.slice(-20)}` })(socket, seen),
      },
    ]);
  });

  describe('answers without end', () => {
    const request = (): JsonValue => ({ url: bench.at('/x') });
    const policy = (): Partial<HttpPolicy> => ({ bodyBytes: 65_536 });
    const heads = (): Partial<HttpPolicy> => ({ headerBytes: 8192 });
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    bench.stopped('the size', 'CHIMERA_TOO_LARGE', /^the body of the answer has more than 65536 bytes$/, [
      {
        name: 'a length that says so',
        request,
        policy,
        script: raw('HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n', 'hang'),
      },
      {
        name: 'a length beyond numbers',
        request,
        policy,
        script: raw(`HTTP/1.1 200 OK\r\nContent-Length: 9007199254740993\r\n\r\n`, 'hang'),
      },
      {
        name: 'a flood until the end of the stream',
        request,
        policy,
        script: flood('HTTP/1.1 200 OK\r\n\r\n', 'a'.repeat(4096)),
      },
      {
        name: 'a flood of chunks',
        request,
        policy,
        script: flood('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', `1000\r\n${'a'.repeat(4096)}\r\n`),
      },
      { name: 'a flood of an error', request, policy, script: flood('HTTP/1.1 500 No\r\n\r\n', 'a'.repeat(4096)) },
      {
        name: 'a flood in answer to a POST',
        request: () => ({ url: bench.at('/x'), method: 'POST', json: {} }),
        policy,
        script: flood('HTTP/1.1 200 OK\r\n\r\n', 'a'.repeat(4096)),
      },
    ]);
    bench.stopped('the size', 'CHIMERA_TOO_LARGE', /^the header of the answer has more than 8192 bytes$/, [
      {
        name: 'one endless header',
        request,
        policy: heads,
        script: flood('HTTP/1.1 200 OK\r\nX-A: ', 'a'.repeat(4096)),
      },
      { name: 'endless headers', request, policy: heads, script: flood('HTTP/1.1 200 OK\r\n', 'X-A: b\r\n') },
      { name: 'an endless name', request, policy: heads, script: flood('HTTP/1.1 200 OK\r\n', 'a'.repeat(4096)) },
    ]);

    it('a bomb of ten megabytes in ten kilobytes: it is never unpacked', async () => {
      bench.server.on('/x', answer(200, bomb, { 'content-encoding': 'gzip' }));
      const used = bench.policy({ bodyBytes: 65_536 });
      const result = await bench.perform({ url: bench.at('/x') }, used);
      assert.ok(result.ok);
      const { base64, headers } = result.body as { base64: string; headers: JsonObject };
      assert.equal(base64, bomb.toString('base64'));
      assert.equal(headers['content-encoding'], 'gzip');
      await bench.goesOn(used);
    });

    it('the body of a redirect is not read', async () => {
      bench.server.on('/x', flood('HTTP/1.1 302 Go\r\nLocation: /good\r\n\r\n', 'a'.repeat(4096)));
      assert.equal((await bench.perform({ url: bench.at('/x') }, bench.policy())).ok, true);
    });
  });

  describe('answers that take their time', () => {
    const request = (): JsonValue => ({ url: bench.at('/x') });
    const policy = (): Partial<HttpPolicy> => ({ timeoutMs: 100 });
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    bench.stopped('the time', 'CHIMERA_WALL_DEADLINE', /^the answer took longer than 100 ms$/, [
      { name: 'none at all', request, policy, script: raw('', 'hang') },
      { name: 'half a status line', request, policy, script: raw('HTTP/1.1 2', 'hang') },
      { name: 'headers without an end', request, policy, script: raw('HTTP/1.1 200 OK\r\nX-A: b\r\n', 'hang') },
      { name: 'dripping headers', request, policy, script: drip('HTTP/1.1 200 OK\r\n', 'X-A: b\r\n') },
      {
        name: 'a body that stops',
        request,
        policy,
        script: raw('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc', 'hang'),
      },
      { name: 'a dripping body', request, policy, script: drip('HTTP/1.1 200 OK\r\n\r\n', 'a') },
      { name: 'dripping chunks', request, policy, script: drip(chunked, '1\r\na\r\n') },
      { name: 'a chunk of dripping digits', request, policy, script: drip(chunked, '0') },
      {
        name: 'a redirect on every wait',
        request,
        policy,
        script: (socket, seen) => void setTimeout(() => answer(302, '', { location: '/x' })(socket, seen), 60),
      },
      {
        name: 'a resolver that never answers',
        request,
        policy: () => ({ timeoutMs: 100, resolve: () => new Promise<never>(() => undefined) }),
      },
      {
        name: 'a request that waits less than the policy allows',
        request: () => ({ url: bench.at('/x'), timeoutMs: 100 }),
        script: raw('', 'hang'),
      },
      {
        name: 'waits between the attempts',
        request,
        policy: () => ({ timeoutMs: 100, retryDelaysMs: [60_000] }),
        script: raw('', 'reset'),
      },
    ]);
  });

  describe('answers that are none', () => {
    const request = (): JsonValue => ({ url: bench.at('/x') });
    const ok = 'HTTP/1.1 200 OK\r\n';
    bench.stopped(
      'the protocol',
      'CHIMERA_UNREACHABLE',
      /^host\.test:\d+ is not reachable: it does not answer in HTTP$/,
      [
        { name: 'another protocol', request, script: raw('SSH-2.0-OpenSSH_9.6\r\n') },
        { name: 'a mail server', request, script: raw('220 mail ESMTP\r\n') },
        { name: 'noise', request, script: raw(Buffer.from(Array.from({ length: 512 }, (_, i) => (i * 89) & 255))) },
        { name: 'HTTP/0.9', request, script: raw('<html></html>') },
        { name: 'HTTP/2', request, script: raw('\0\0\x12\x04\0\0\0\0\0') },
        { name: 'two lengths', request, script: raw(`${ok}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc`) },
        {
          name: 'a length and chunks',
          request,
          script: raw(`${ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
        },
        { name: 'a negative length', request, script: raw(`${ok}Content-Length: -1\r\n\r\nabc`) },
        { name: 'a length in words', request, script: raw(`${ok}Content-Length: two\r\n\r\nab`) },
        { name: 'a header without a colon', request, script: raw(`${ok}X-A\r\n\r\n`) },
        { name: 'a space before the colon', request, script: raw(`${ok}Content-Length : 2\r\n\r\nab`) },
        { name: 'a null character in a header', request, script: raw(`${ok}X-A: a\0b\r\n\r\n`) },
        { name: 'bare carriage returns', request, script: raw(`${ok}X-A: a\rX-B: b\r\n\r\n`) },
        {
          name: 'an upgrade that nobody asked for',
          request,
          script: raw('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', 'hang'),
        },
        { name: 'interim answers without end', request, script: flood('', 'HTTP/1.1 103 Early Hints\r\n\r\n') },
        { name: 'a status of three letters', request, script: raw('HTTP/1.1 abc OK\r\n\r\n') },
      ],
    );
    bench.stopped(
      'the connection',
      'CHIMERA_UNREACHABLE',
      /^host\.test:\d+ is not reachable: the connection broke before /,
      [
        { name: 'an end before the answer', request, script: raw('') },
        { name: 'a reset before the answer', request, script: raw('', 'reset') },
        { name: 'an end within the headers', request, script: raw(`${ok}X-A: b\r\n`) },
        { name: 'an end before the promised length', request, script: raw(`${ok}Content-Length: 5\r\n\r\nabc`) },
        { name: 'an end within a chunk', request, script: raw(`${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nab`) },
        {
          name: 'an end before the last chunk',
          request,
          script: raw(`${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n`),
        },
        { name: 'a reset within the body', request, script: raw(`${ok}Content-Length: 5\r\n\r\nabc`, 'reset') },
      ],
    );
    bench.stopped('the connection', 'CHIMERA_UNREACHABLE', /is not reachable: no connection can be made$/, [
      {
        name: 'a port where nobody listens',
        request: { url: 'http://host.test:1/' },
        policy: () => ({ allow: ['http://host.test:1'], reachable: parseReachable(['127.0.0.1']) }),
      },
    ]);

    it('more body than the length says: the rest is nobody’s', async () => {
      bench.server.on('/x', raw(`${ok}Content-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`));
      const result = await bench.perform({ url: bench.at('/x') }, bench.policy());
      assert.equal(textOf(result), 'ab');
      const next = await bench.perform({ url: bench.at('/good') }, bench.policy());
      assert.equal(textOf(next), 'good', 'was answered by the answer before');
    });

    it('an answer that looks like one of the host’s own: it stays the body of an answer', async () => {
      const forged = JSON.stringify({ ok: false, code: 'CHIMERA_FORBIDDEN', message: 'forged' });
      bench.server.on('/x', answer(200, forged, { 'content-type': 'application/json' }));
      const result = await bench.perform({ url: bench.at('/x') }, bench.policy());
      assert.deepEqual(result, {
        ok: true,
        body: { status: 200, url: bench.at('/x'), headers: { 'content-type': 'application/json' }, text: forged },
      });
    });
  });

  it('any bytes at all: an answer or a failure, never a crash', async () => {
    const honest = Buffer.from(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLocation: /good\r\n\r\n2\r\nab\r\n0\r\n\r\n',
    );
    const change = fc.record({ at: fc.nat(honest.length - 1), byte: fc.nat(255) });
    const policy = bench.policy({ breakers: new Breakers({ failures: 1000 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 3 }), fc.nat(honest.length), async (changes, length) => {
        const bytes = Buffer.from(honest);
        for (const { at, byte } of changes) bytes[at] = byte;
        bench.server.on('/x', raw(bytes.subarray(0, length)));
        const result = await bench.perform({ url: bench.at('/x') }, policy);
        if (!result.ok) assert.match(result.code, /^CHIMERA_(UNREACHABLE|FORBIDDEN|TOO_LARGE)$/, result.message);
      }),
      { numRuns: 200 },
    );
    await bench.goesOn(policy);
  });

  describe('TLS', () => {
    const certificates = {
      good: selfSigned('host.test'),
      other: selfSigned('elsewhere.test'),
      late: selfSigned('host.test', -1),
    };
    const servers = new Map<string, ScriptedServer>();
    const plain = createServer((socket) => socket.on('error', () => undefined).end('220 mail ESMTP\r\n'));
    before(async () => {
      await once(plain.listen(0, '127.0.0.1'), 'listening');
      for (const [name, certificate] of Object.entries(certificates))
        servers.set(name, await ScriptedServer.start(certificate));
    });
    after(async () => {
      plain.close();
      for (const one of servers.values()) await one.stop();
    });
    const using = (port: () => number, changes: Partial<HttpPolicy> = {}): Pick<Case, 'request' | 'policy'> => ({
      request: () => ({ url: `https://host.test:${port()}/good` }),
      policy: () => ({
        allow: [`https://host.test:${port()}`, `http://host.test:${bench.server.port}`],
        reachable: parseReachable(['127.0.0.1']),
        ...changes,
      }),
    });
    const portOf = (name: string) => (): number => servers.get(name)!.port;

    bench.stopped('TLS', 'CHIMERA_UNREACHABLE', /is not reachable: its TLS certificate or protocol is not valid$/, [
      { name: 'a certificate that signs itself', ...using(portOf('good')) },
      { name: 'a certificate of another name', ...using(portOf('other'), { ca: certificates.other.cert }) },
      { name: 'a certificate that is no longer valid', ...using(portOf('late'), { ca: certificates.late.cert }) },
      { name: 'a certificate of another authority', ...using(portOf('good'), { ca: certificates.other.cert }) },
      { name: 'a host that speaks no TLS', ...using(() => (plain.address() as AddressInfo).port) },
    ]);

    it('takes a certificate that is trusted, but not the way from https to http', async () => {
      const good = servers.get('good')!;
      const { policy, request } = using(() => good.port, { ca: certificates.good.cert });
      const used = bench.policy(policy!());
      const result = await bench.perform((request as () => JsonValue)(), used);
      assert.equal(textOf(result), 'good', JSON.stringify(result));
      good.on('/x', answer(301, '', { location: bench.at('/good') }));
      const downgraded = await bench.perform({ url: `https://host.test:${good.port}/x` }, used);
      assert.match(downgraded.ok ? '' : downgraded.message, /^the redirect of host\.test:\d+ leaves https$/);
    });

    it('is not loosened by the environment of the process', async () => {
      const { NODE_TLS_REJECT_UNAUTHORIZED: before } = process.env;
      const { emitWarning } = process;
      process.emitWarning = () => undefined;
      process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
      try {
        const { policy, request } = using(portOf('good'));
        const result = await bench.perform((request as () => JsonValue)(), bench.policy(policy!()));
        assert.equal(!result.ok && result.code, 'CHIMERA_UNREACHABLE');
      } finally {
        process.emitWarning = emitWarning;
        if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
        else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
      }
    });
  });
});
