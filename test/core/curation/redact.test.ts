import assert from 'node:assert/strict';
import fc from 'fast-check';
import { addCounts, redactJson, redactText } from '../../../src/core/curation/redact.ts';

const CASES: readonly (readonly [string, string])[] = [
  ['mail to John.Doe+x@mail.example.co.uk.', 'mail to [EMAIL].'],
  ['<a@b.org>, "c@d.net"; e@localhost', '<[EMAIL]>, "[EMAIL]"; [EMAIL]'],
  ['jürgen@müller.de', '[EMAIL]'],
  ['5 @ $3 and @home, me@', '5 @ $3 and @home, me@'],
  ['from 192.168.1.254:8080, not 999.1.1.1 or v1.2.3', 'from [IP]:8080, not 999.1.1.1 or v1.2.3'],
  ['to 2001:db8::ff00:42:8329 at 12:30:45', 'to [IP] at 12:30:45'],
  ['std::string a::b ::', 'std::string a::b ::'],
  ['card 4111 1111 1111 1111, 5500-0000-0000-0004', 'card [CARD], [CARD]'],
  ['call +44 20 7946 0958 or (212) 555-0123', 'call [PHONE] or [PHONE]'],
  ['1-800-555-0199; 089 / 1234; 0176 123 45678', '[PHONE]; 089 / 1234; [PHONE]'],
  ['order 123456789, room 123456, year 2002', 'order [NUMBER], room 123456, year 2002'],
  ['on 2002-08-22 18:26 for $1,000,000.00', 'on 2002-08-22 18:26 for $1,000,000.00'],
];

describe('curation/redact', () => {
  for (const [text, redacted] of CASES) {
    it(`turns ${JSON.stringify(text)} into ${JSON.stringify(redacted)}`, () => {
      assert.equal(redactText(text).value, redacted);
    });
  }

  it('counts by kind', () => {
    const { counts } = redactText('a@b.c d@e.f 10.0.0.1 4111111111111111 +1 212 555 0123 7654321');
    assert.deepEqual(counts, { email: 2, ip: 1, card: 1, phone: 1, number: 1 });
    assert.equal(addCounts(counts, counts).email, 4);
  });

  it('is idempotent on anything', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('@', '.', '-', ' ', '::', '+', '(', ')', '[EMAIL]', 'x@y.z', '/', '1.2.3.4'),
      fc.nat().map(String),
      fc.stringMatching(/^[\d .()+-]{1,20}$/),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const once = redactText(pieces.join('')).value;
        const twice = redactText(once);
        assert.equal(twice.value, once);
        assert.ok(Object.values(twice.counts).every((count) => count === 0));
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves no planted address or number behind', () => {
    const word = fc.constantFrom('hello', 'the', 'price', 'is', '42', '\n', '...', '<', '>');
    const secret = fc.constantFrom('joe@corp.example', '10.1.2.3', '4111111111111111', '+49 30 1234567', '98765432');
    fc.assert(
      fc.property(fc.array(word), secret, fc.array(word), (before, planted, after) => {
        const text = [...before, planted, ...after].join(' ');
        assert.ok(!redactText(text).value.includes(planted));
      }),
    );
  });

  it('reaches every string of a value and leaves keys, numbers and the rest alone', () => {
    const value = { 'a@b.c': ['x@y.z', { n: 12345678, s: 'tel 7654321', t: true }], none: null };
    const { value: redacted, counts } = redactJson(value);
    assert.deepEqual(redacted, { 'a@b.c': ['[EMAIL]', { n: 12345678, s: 'tel [NUMBER]', t: true }], none: null });
    assert.deepEqual([counts.email, counts.number], [1, 1]);
  });

  it('takes linear time on hostile text', () => {
    const hostile = [
      'a'.repeat(300_000),
      '1 '.repeat(150_000),
      '@'.repeat(300_000),
      'a@'.repeat(100_000),
      '1.'.repeat(150_000),
      ':1'.repeat(100_000),
      'a@a.'.repeat(80_000) + '!'.repeat(10_000),
    ];
    const started = process.cpuUsage();
    for (const text of hostile) redactText(text);
    const { user } = process.cpuUsage(started);
    assert.ok(user < 5e6, `${user} µs`);
  });
});
