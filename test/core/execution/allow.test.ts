import assert from 'node:assert/strict';
import fc from 'fast-check';
import { allows, parseAllow, TOOL_NAME } from '../../../src/core/execution/allow.ts';

const problemOf = (entry: unknown): string => parseAllow([entry]).map(({ message }) => message)[0] ?? '';

describe('the allow-list of a manifest', () => {
  it('takes schemes, hosts, wildcards, ports and paths', () => {
    const entries = [
      'https://api.example.com',
      'https://*.example.com/',
      'http://stock:8080/v1/',
      'http://10.0.0.1',
      'http://[::1]:8080',
      'https://xn--bcher-kva.example/a%20b',
    ];
    assert.deepEqual(parseAllow(entries), []);
  });

  it('names every entry that is not written as it is compared', () => {
    const wrong: [unknown, RegExp][] = [
      ['https://EXAMPLE.com', /written as https:\/\/example\.com$/],
      ['https://bücher.example', /written as https:\/\/xn--bcher-kva\.example$/],
      ['https://a.example:443', /written as https:\/\/a\.example$/],
      ['https://a.example/x/../y', /written as https:\/\/a\.example\/y$/],
      ['http://0x7f.1', /written as http:\/\/127\.0\.0\.1$/],
      ['http://2130706433', /written as http:\/\/127\.0\.0\.1$/],
      ['http://[0:0::1]', /written as http:\/\/\[::1\]$/],
      ['http://a%2eb.example', /written as http:\/\/a\.b\.example$/],
      ['https://*.com', /two labels/],
      ['https://*.10.0.0.1', /before an address/],
      ['https://a.example.', /ends with a dot/],
      ['https://a.example:0', /port 0/],
      ['https://a.example/%2fb', /encoded/],
      ['https://*', /must be http/],
      ['https://a.*.example', /must be http/],
      ['https://a.example/*', /must be http/],
      ['https://a.example?x', /must be http/],
      ['https://user@a.example', /must be http/],
      ['ftp://a.example', /must be http/],
      ['//a.example', /must be http/],
      [`https://${'a'.repeat(600)}`, /500 characters/],
      [7, /must be a text/],
    ];
    for (const [entry, expected] of wrong) assert.match(problemOf(entry), expected, String(entry));
    const problems = parseAllow(wrong.map(([entry]) => entry));
    assert.deepEqual(
      problems.map(({ path }) => path),
      wrong.map((_, index) => `/${index}`),
    );
    assert.match(parseAllow(Array<string>(65).fill('https://a.example'))[0]!.message, /64 entries/);
  });

  const cases: Record<string, { allow: string; yes: string[]; no: string[] }> = {
    'one host': {
      allow: 'https://api.example.com',
      yes: [
        'https://api.example.com',
        'https://api.example.com/x?y#z',
        'HTTPS://API.Example.com:443/',
        'https://api.example.com\\@evil.example/',
        'https://%61pi.example.com/',
        'https://ａpi.example.com/',
      ],
      no: [
        'http://api.example.com/',
        'https://api.example.com:8443/',
        'https://api.example.com./',
        'https://api.example.com.evil.example/',
        'https://evil.example/api.example.com',
        'https://api.example.com@evil.example/',
        'https://user:secret@api.example.com/',
        'https://evil.example#@api.example.com/',
        'https://evil.example\\@api.example.com/',
        'https://evil.example?https://api.example.com/',
        'https://аpi.example.com/',
        'https://xapi.example.com/',
        'https://api-example.com/',
        'https://x.api.example.com/',
        'file://api.example.com/',
        'not a url',
      ],
    },
    'a wildcard label': {
      allow: 'https://*.example.com',
      yes: ['https://a.example.com/', 'https://xn--bcher-kva.example.com/', 'https://bücher.example.com/'],
      no: [
        'https://example.com/',
        'https://.example.com/',
        'https://a.b.example.com/',
        'https://aexample.com/',
        'https://a.example.com.evil.example/',
        'https://evil.example/.example.com',
      ],
    },
    'a path': {
      allow: 'http://stock:8080/v1',
      yes: [
        'http://stock:8080/v1',
        'http://stock:8080/v1/a/b',
        'http://stock:8080/x/../v1/y',
        'http://stock:8080/v1?q=/../',
      ],
      no: [
        'http://stock:8080/',
        'http://stock:8080/v10',
        'http://stock:8080/V1',
        'http://stock:8080/v1/../admin',
        'http://stock:8080/v1/%2e%2e/admin',
        'http://stock:8080/v1/.%2E/admin',
        'http://stock:8080/v1\\..\\admin',
        'http://stock:8080/v1/..%2fadmin',
        'http://stock:8080/v1/..%5Cadmin',
        'http://stock:8080/v1/%252e%252e/admin',
        'http://stock:8080/v1/..;/admin',
        'http://stock:8080/v1/.;x=1/admin',
        'http://stock:8080//v1',
        'http://stock/v1',
      ],
    },
    'a path with a slash': {
      allow: 'http://stock/v1/',
      yes: ['http://stock/v1/', 'http://stock/v1/a'],
      no: ['http://stock/v1', 'http://stock/v1x/'],
    },
    'an IPv4 address': {
      allow: 'http://192.0.2.1',
      yes: [
        'http://192.0.2.1/',
        'http://0xC0.0.0x201/',
        'http://3221225985/',
        'http://0300.0.2.1/',
        'http://192.0.2.1./',
      ],
      no: ['http://[::ffff:192.0.2.1]/', 'http://192.0.2.1.example/', 'http://192.0.2.10/'],
    },
    'an IPv6 address': {
      allow: 'http://[2001:db8::1]',
      yes: ['http://[2001:db8::1]/', 'http://[2001:0DB8:0:0:0:0:0:1]/'],
      no: ['http://[2001:db8::1%25eth0]/', 'http://[2001:db8::2]/', 'http://2001:db8::1/'],
    },
    'an entry that is wrong': { allow: 'https://EXAMPLE.com', yes: [], no: ['https://example.com/'] },
  };
  for (const [name, { allow, yes, no }] of Object.entries(cases))
    it(`opens what it says and nothing else: ${name}`, () => {
      for (const url of yes) assert.equal(allows([allow], url), true, url);
      for (const url of no) assert.equal(allows([allow], url), false, url);
    });

  const label = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
  const host = fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join('.'));

  it('never opens another origin, however the rest of the URL is spelt', () => {
    fc.assert(
      fc.property(host, host, fc.string({ maxLength: 30 }), fc.nat(65535), (allowed, other, noise, port) => {
        const entry = `https://${allowed}`;
        for (const text of [
          `https://${other}/${noise}`,
          `https://${noise}${allowed}`,
          `https://${allowed}${noise}`,
          `https://${allowed}:${port}/${noise}`,
          `https://${noise}@${allowed}`,
          noise,
        ]) {
          const expected =
            URL.canParse(text) &&
            new URL(text).origin === entry &&
            new URL(text).username + new URL(text).password === '';
          assert.equal(allows([entry], text), expected, text);
        }
      }),
    );
  });

  it('never opens what its own URL parser would take out of the path', () => {
    const segment = fc.oneof(
      fc.constantFrom('..', '.', '%2e%2e', '%2E.', '..;', '%2f', '%5c', '%252e', '\\', '', 'v1', 'a'),
      fc.stringMatching(/^[a-z]{1,4}$/),
    );
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 6 }), (segments) => {
        const url = `http://stock/v1/${segments.join('/')}`;
        if (!allows(['http://stock/v1'], url)) return;
        // A careless server: decodes twice, drops parameters, takes backslashes for slashes, then resolves.
        const careless = decodeURIComponent(decodeURIComponent(new URL(url).pathname)).replace(/;[^/]*/g, '');
        const resolved = new URL(careless.replaceAll('\\', '/').replace(/\/+/g, '/'), 'http://stock').pathname;
        assert.match(`${resolved}/`, /^\/v1\//, url);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the name of a tool', () => {
  it('is short, lower-case and plain', () => {
    for (const name of ['a', 'search', 'crm.find-customer', 'a_b', 'x9']) assert.match(name, TOOL_NAME);
    for (const name of ['', 'A', '9a', '-a', 'a-', 'a..b', '__proto__', 'a/b', 'a b', 'a'.repeat(65)])
      assert.doesNotMatch(name, TOOL_NAME);
  });
});
