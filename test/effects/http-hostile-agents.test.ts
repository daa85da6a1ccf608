import assert from 'node:assert/strict';
import { parseReachable } from '../../src/effects/http/addresses.ts';
import { exchange } from '../../src/effects/http/exchange.ts';
import type { HttpPolicy } from '../../src/effects/http/perform.ts';
import type { Resolve } from '../../src/effects/http/resolve.ts';
import { HttpBench, type Case } from './http-bench.ts';
import { answer } from './scripted-server.ts';

/**
 * What an untrusted agent may try. Every case names the wall that must stop it; whatever it was, a good request goes through
 * afterwards. Real sockets, on loopback only.
 */
const bench = new HttpBench();

const LOOSE = ['http', 'https'].flatMap((scheme) => ['', ':8080'].map((port) => `${scheme}://*.host.test${port}`));

const literals = (...urls: string[]): Case[] => urls.map((url) => ({ name: url, request: { url } }));
const allowing = (cases: Case[]): Case[] =>
  cases.map((one) => ({
    ...one,
    policy: () => ({ allow: [new URL((one.request as { url: string }).url).origin], reachable: parseReachable([]) }),
  }));

describe('an http effect against hostile agents', () => {
  describe('addresses of the inside, written plainly and in disguise, though the manifest allows them', () => {
    bench.stopped(
      'the address',
      'CHIMERA_FORBIDDEN',
      /is not allowed: its address may not be reached$/,
      allowing(
        literals(
          'http://127.0.0.1/',
          'http://127.1/',
          'http://0x7f.1/',
          'http://0177.0.0.1/',
          'http://2130706433/',
          'http://0x7f000001/',
          'http://127.0.0.1./',
          'http://①②⑦.⓪.⓪.①/',
          'http://127。0。0。1/',
          'http://%31%32%37.0.0.1/',
          'http://0.0.0.0/',
          'http://0/',
          'http://10.0.0.1/',
          'http://172.16.0.1/',
          'http://192.168.1.1/',
          'http://100.64.0.1/',
          'http://169.254.169.254/latest/meta-data/',
          'http://0xa9fea9fe/',
          'http://168.63.129.16/',
          'http://100.100.100.200/',
          'http://224.0.0.1/',
          'http://255.255.255.255/',
          'http://198.18.0.1/',
          'http://[::]/',
          'http://[::1]/',
          'http://[::ffff:127.0.0.1]/',
          'http://[::ffff:7f00:1]/',
          'http://[0:0:0:0:0:ffff:a9fe:a9fe]/',
          'http://[::127.0.0.1]/',
          'http://[64:ff9b::127.0.0.1]/',
          'http://[64:ff9b:1::7f00:1]/',
          'http://[2002:7f00:1::]/',
          'http://[2001:0:5bc0:1::80ff:fffe]/',
          'http://[2001:db8::1]/',
          'http://[fe80::1]/',
          'http://[fd00:ec2::254]/',
          'http://[fec0::1]/',
          'http://[ff02::1]/',
        ),
      ),
    );
  });

  describe('names of the inside', () => {
    const resolving = (...addresses: string[]): (() => Partial<HttpPolicy>) => {
      const resolved = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }) as const);
      return () => ({
        allow: ['http://name.host.test'],
        reachable: parseReachable([]),
        resolve: () => Promise.resolve(resolved),
      });
    };
    const request = { url: 'http://name.host.test/' };
    bench.stopped(
      'the address',
      'CHIMERA_FORBIDDEN',
      /^(name\.host\.test|localhost) is not allowed: its address may not be reached$/,
      [
        { name: 'a name of loopback', request, policy: resolving('127.0.0.1') },
        { name: 'a name of ::1', request, policy: resolving('::1') },
        { name: 'a name of a mapped address', request, policy: resolving('::ffff:10.0.0.1') },
        { name: 'a name of the metadata service', request, policy: resolving('169.254.169.254') },
        { name: 'one public address before a private one', request, policy: resolving('93.184.216.34', '10.0.0.1') },
        { name: 'one private address before a public one', request, policy: resolving('::1', '93.184.216.34') },
        { name: 'what is no address', request, policy: resolving('0x7f.1') },
        { name: 'an address with a zone', request, policy: resolving('fe80::1%lo') },
        {
          name: 'localhost, by the resolver of the machine',
          request: { url: 'http://localhost/' },
          policy: () => ({ allow: ['http://localhost'], reachable: parseReachable([]), resolve: undefined }),
        },
      ],
    );
    bench.stopped('the address', 'CHIMERA_FORBIDDEN', /is not allowed: its address may not be reached$/, [
      {
        name: 'another port of an address that the operator opened',
        request: () => ({ url: `http://host.test:${bench.inside.port}/secret` }),
        policy: () => ({ allow: [`http://host.test:${bench.inside.port}`] }),
      },
      {
        name: 'a metadata address within a network that the operator opened',
        request: { url: 'http://169.254.169.254/' },
        policy: () => ({
          allow: ['http://169.254.169.254'],
          reachable: parseReachable(['169.254.0.0/16', '0.0.0.0/0']),
        }),
      },
    ]);
    bench.stopped('the resolver', 'CHIMERA_UNREACHABLE', /is not reachable: the name does not resolve$/, [
      { name: 'a name without addresses', request, policy: resolving() },
      {
        name: 'a name that does not exist',
        request,
        policy: () => ({
          allow: ['http://name.host.test'],
          resolve: () => Promise.reject(new Error('getaddrinfo ENOTFOUND')),
        }),
      },
    ]);

    it('a name that resolves to another address the second time: the connection is pinned to the first', async () => {
      let asked = 0;
      const rebinding: Resolve = () =>
        Promise.resolve([{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }]);
      const policy = bench.policy({ resolve: rebinding });
      const result = await bench.perform({ url: bench.at('/good') }, policy);
      assert.equal(result.ok, true);
      assert.equal(asked, 1, 'resolved again after the check');
    });

    it('a name that resolves to the inside after a redirect to itself: the address', async () => {
      bench.server.on('/x', answer(302, '', { location: '/good' }));
      let asked = 0;
      const policy = bench.policy({
        resolve: () => Promise.resolve([{ address: asked++ === 0 ? '127.0.0.1' : '10.0.0.1', family: 4 }]),
      });
      const result = await bench.perform({ url: bench.at('/x') }, policy);
      assert.equal(!result.ok && result.code, 'CHIMERA_FORBIDDEN');
      await bench.goesOn(policy);
    });

    it('a socket that is connected elsewhere than was asked: the second look, before a byte is sent', async () => {
      const { length } = bench.server.seen;
      const looked: string[] = [];
      const result = await exchange({
        method: 'GET',
        url: new URL(bench.at('/good')),
        headers: {},
        addresses: [{ address: '127.0.0.1', family: 4 }],
        mayConnect: (address, port) => {
          looked.push(`${address} ${port}`);
          return false;
        },
        headerBytes: 16_384,
        bodyBytes: 1024,
        signal: new AbortController().signal,
      });
      assert.equal(result.kind === 'fault' && result.code, 'CHIMERA_FORBIDDEN');
      assert.deepEqual(looked, [`127.0.0.1 ${bench.server.port}`]);
      await bench.goesOn(bench.policy());
      assert.equal(bench.server.seen.length, length + 1, 'the request was sent');
    });
  });

  describe('hosts that the manifest does not name', () => {
    const loose = (): Partial<HttpPolicy> => ({ allow: LOOSE });
    bench.stopped('the allow-list', 'CHIMERA_FORBIDDEN', /^the manifest does not allow http/, [
      { name: 'another host', request: { url: 'http://evil.example/' } },
      { name: 'another port', request: () => ({ url: `http://host.test:${bench.inside.port}/secret` }) },
      { name: 'another scheme', request: () => ({ url: `https://host.test:${bench.server.port}/` }) },
      { name: 'the host as a label of another', request: { url: 'http://a.host.test.evil.example/' }, policy: loose },
      { name: 'the host as an ending of another', request: { url: 'http://ahost.test/' }, policy: loose },
      { name: 'two labels where one is allowed', request: { url: 'http://a.b.host.test/' }, policy: loose },
      { name: 'the host behind a fragment', request: { url: 'http://evil.example#.host.test' }, policy: loose },
      { name: 'the host behind a query', request: { url: 'http://evil.example?.host.test' }, policy: loose },
      { name: 'a look-alike in another script', request: { url: 'http://a.hоst.test/' }, policy: loose },
      {
        name: 'a path beside the allowed one',
        request: { url: 'http://host.test/v1/../admin' },
        policy: () => ({ allow: ['http://host.test/v1'] }),
      },
      {
        name: 'a path in disguise',
        request: { url: 'http://host.test/v1/..%2fadmin' },
        policy: () => ({ allow: ['http://host.test/v1'] }),
      },
      { name: 'an empty allow-list', request: () => ({ url: bench.at('/good') }), policy: () => ({ allow: [] }) },
    ]);
  });

  describe('requests that are not what they seem', () => {
    const url = 'http://a.host.test/';
    bench.stopped('the request', 'CHIMERA_INVALID_INPUT', /^the http request is not valid/, [
      ...literals(
        'file:///etc/passwd',
        'gopher://a.host.test:6379/_FLUSHALL',
        'ftp://a.host.test/',
        'data:text/plain,x',
        'unix:/var/run/docker.sock',
        '//a.host.test/',
        'http:a.host.test',
        'http:///a.host.test',
        'http://user:secret@a.host.test/',
        'http://evil.example@a.host.test/',
        'http://@a.host.test/',
        'http://evil.example\\@a.host.test/',
        'http://a.host.test/\r\nX-Evil: 1',
        'http://a.host.test/\tx',
        ' http://a.host.test/',
        'http://a.host.test/\u0000',
        'http://a.ho\u00adst.test/',
        'http://a.host.test\u200b/',
        'http://a.host.test./',
        'http://a.host.test:0/',
        'http://a.host.test:99999/',
        'http://[fe80::1%25lo]/',
        'http://1.2.3.4.5/',
        `http://a.host.test/${'a'.repeat(3000)}`,
        `http://a.host.test/${'ü'.repeat(1000)}`,
      ).map((one) => ({ ...one, name: JSON.stringify(one.name.slice(0, 60)) })),
      ...Object.entries<Record<string, string>>({
        'a line break in a value': { 'x-a': 'b\r\nhost: evil' },
        'a line feed in a value': { 'x-a': 'b\nhost: evil' },
        'a line break in a name': { 'x-a: b\r\nhost': 'evil' },
        'a null character': { 'x-a': 'b\u0000' },
        'letters that turn into a line break in latin1': { 'x-a': '\u010d\u010aHost: evil' },
        'no name': { '': 'x' },
        'another host': { Host: 'evil.example' },
        'a length of its own': { 'Content-Length': '5' },
        'a coding of its own': { 'transfer-ENCODING': 'chunked' },
        'a connection header': { connection: 'x-a' },
        'an upgrade': { upgrade: 'websocket' },
        'an expectation': { expect: '100-continue' },
        'credentials for a proxy': { 'proxy-authorization': 'Basic x' },
        'a forwarded address': { 'X-Forwarded-For': '127.0.0.1' },
        'another method': { 'X-HTTP-Method-Override': 'DELETE' },
        'the key of another effect': { 'Idempotency-Key': 'x' },
        'a header twice': { 'x-a': '1', 'X-A': '2' },
        'too many headers': Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`x-${i}`, ''])),
        'too large headers': { 'x-a': 'a'.repeat(9000) },
      }).map(([name, headers]) => ({ name, request: { url, headers } })),
      { name: 'a method of a proxy', request: { url, method: 'CONNECT' } },
      { name: 'a method that echoes', request: { url, method: 'TRACE' } },
      { name: 'a method with a line break', request: { url, method: 'GET / HTTP/1.1\r\nX: ' } },
      { name: 'a method in lower case', request: { url, method: 'post' } },
      { name: 'a body in a GET', request: { url, text: 'x' } },
      { name: 'two bodies', request: { url, method: 'POST', text: 'x', json: 1 } },
      { name: 'a body that is too large', request: { url, method: 'POST', text: 'ü'.repeat(600_000) } },
      { name: 'no base64', request: { url, method: 'POST', base64: '$$$$' } },
      { name: 'an unknown member', request: { url, rejectUnauthorized: false } },
      { name: 'a time without end', request: { url, timeoutMs: 1e12 } },
      { name: 'a list', request: [url] },
      { name: 'nothing', request: null },
    ]);
  });
});
