import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import type { JsonObject } from '../../../src/contracts/records.ts';
import { bytesToBinaryText } from '../../../src/core/validation/preprocess/charset.ts';
import type { FeatureDeclaration, PreprocessStep } from '../../../src/core/validation/preprocess/declarations.ts';
import { htmlToText } from '../../../src/core/validation/preprocess/html.ts';
import { parseMail, type Mail } from '../../../src/core/validation/preprocess/mime.ts';
import { normaliseText } from '../../../src/core/validation/preprocess/normalise.ts';
import { preprocess } from '../../../src/core/validation/preprocess/pipeline.ts';

const latin1 = (text: string): string => bytesToBinaryText(Buffer.from(text, 'latin1'));
const utf8 = (text: string): string => bytesToBinaryText(Buffer.from(text, 'utf8'));
const mail = (header: string, body: string): Promise<Mail> => parseMail(`${header}\n\n${body}`);

describe('mail', () => {
  it('reads header, domains, presence and text', async () => {
    const header = [
      'From odd@example.org  Thu Aug 22 12:36:23 2002',
      'From: "A. Person" <Some.One@Example.COM>',
      'Reply-To: other@example.net',
      'Subject: =?iso-8859-1?Q?Gr=FC=DFe?=',
      ' and more',
      'X-Mailer: pine',
    ].join('\r\n');
    const read = await parseMail(`${header}\r\n\r\nHello\r\n`, ['x-mailer', 'x-priority']);
    assert.deepEqual(read, {
      from: 'example.com',
      replyTo: 'example.net',
      subject: 'Grüße and more',
      type: 'text/plain',
      present: ['x-mailer'],
      text: 'Hello\r\n',
      html: '',
      attachments: 0,
    });
  });

  const repairs: [string, string, string, string][] = [
    ['UTF-8 that says it is Latin-1', 'text/plain; charset=iso-8859-1', utf8('naïve €'), 'naïve €'],
    ['Latin-1 that says it is UTF-8', 'text/plain; charset=utf-8', latin1('naïve'), 'naïve'],
    ['windows-1252 without a charset', 'text/plain', bytesToBinaryText(Uint8Array.of(0x93, 0x61, 0x94)), '“a”'],
    ['a charset nobody knows', 'text/plain; charset=klingon', latin1('é'), 'é'],
    [
      'a declared charset',
      'text/plain; charset="koi8-r"',
      bytesToBinaryText(Uint8Array.of(0xd4, 0xc5, 0xd3, 0xd4)),
      'тест',
    ],
    ['escapes of ISO-2022-JP', 'text/plain; charset=ISO-2022-JP', '\x1b$B$"\x1b(B', 'あ'],
    ['a text decoded by its sender', 'text/plain; charset=iso-8859-1', '“тест”', '“тест”'],
    ['nonsense for a type', '???', 'words', 'words'],
  ];
  for (const [name, type, body, expected] of repairs) {
    it(`repairs ${name}`, async () => {
      assert.equal((await mail(`Subject: x\nContent-Type: ${type}`, body)).text, expected);
    });
  }

  const transfers: [string, string, string][] = [
    ['base64', 'SGVsbG8s\nIHdvcmxk', 'Hello, world'],
    ['base64', 'SGVs*bG8=junk after the end', 'Hello'],
    ['quoted-printable', 'a=3Db=\nc =zz =4', 'a=bc =zz =4'],
    ['x-unknown', 'as it is', 'as it is'],
  ];
  for (const [encoding, body, expected] of transfers) {
    it(`decodes ${encoding} ${JSON.stringify(body)}`, async () => {
      assert.equal((await mail(`Subject: x\nContent-Transfer-Encoding: ${encoding}`, body)).text, expected);
    });
  }

  it('reads the parts of a multipart message', async () => {
    const body = [
      '--b',
      'Content-Type: text/plain',
      '',
      'plain',
      '--b',
      'Content-Type: text/html',
      '',
      '<p>rich</p>',
      '--b',
      'Content-Type: image/png',
      '',
      'xx',
      '--b--',
    ].join('\n');
    const read = await mail('Subject: x\nContent-Type: multipart/mixed; boundary="b"', body);
    assert.match(read.text, /plain/);
    assert.match(read.html, /<p>rich<\/p>/);
    assert.equal(read.attachments, 1);
  });

  for (const [name, raw] of [
    ['nothing', ''],
    ['prose', 'Dear Sir or Madam, this is not a mail.\n\nYours'],
    ['JSON', '{"subject": "x"}'],
    ['fields that no mail has', 'Foo: bar\n\nbody'],
    ['a mail field in the body only', '\nSubject: x\n'],
  ] as const) {
    it(`refuses ${name}`, async () => {
      await assert.rejects(parseMail(raw), (error) => isChimeraError(error, 'CHIMERA_INVALID_INPUT'));
    });
  }

  it('refuses parts that nest beyond measure', async () => {
    let body = 'x';
    for (let i = 40; i > 0; i--) body = `--b${i}\nContent-Type: multipart/mixed; boundary="b${i + 1}"\n\n${body}`;
    await assert.rejects(
      mail('Subject: x\nContent-Type: multipart/mixed; boundary="b1"', body),
      (error: Error) => isChimeraError(error, 'CHIMERA_INVALID_INPUT') && /nesting depth/.test(error.message),
    );
  });
});

describe('HTML to text', () => {
  const cases: [string, string][] = [
    ['<p>one</p><p>two</p>', '\none\n\ntwo\n'],
    ['a<br>b', 'a\nb'],
    ['<b>bo</b>ld', 'bold'],
    ['fish &amp; chips &#8364; &#x41;&unknown; &#0;', 'fish & chips € A&unknown;  '],
    ['<script>if (a<b) x()</script>seen', 'seen'],
    ['<style>p{}</STYLE >seen', 'seen'],
    ['<!-- <p>hidden --> shown', ' shown'],
    ['1 < 2 and <3', '1 < 2 and <3'],
    ['<!doctype html>x', 'x'],
    ['cut <a href="', 'cut '],
    ['<script>never closed', ''],
  ];
  for (const [html, text] of cases) it(JSON.stringify(html), () => assert.equal(htmlToText(html), text));

  it('takes no longer for hostile markup than its length', () => {
    for (const piece of ['<', '<script>', '<!--', '</', '<a ', '&#', '<p']) htmlToText(piece.repeat(200_000));
  });
});

describe('normalisation', () => {
  it('is idempotent and keeps to its cap', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.integer({ min: 1, max: 40 }), (text, maxLength) => {
        const once = normaliseText(text);
        assert.equal(normaliseText(once), once);
        const capped = normaliseText(text, { maxLength });
        assert.ok(capped.length <= maxLength && capped.isWellFormed());
      }),
    );
  });

  it('treats ASCII, which it reads in a way of its own, as it treats other texts', () => {
    const ascii = fc.string({ unit: fc.constantFrom(...' \n\t\r\v\f\0\x07\x7fab,.'.split('')), maxLength: 30 });
    fc.assert(
      fc.property(ascii, (text) => {
        assert.equal(normaliseText(`${text}z`).slice(0, -1), normaliseText(`${text}ж`).slice(0, -1));
      }),
      { numRuns: 500 },
    );
  });

  it('makes look-alikes equal and drops what nobody sees', () => {
    assert.equal(normaliseText(' Ｖｉ\u200bagra\t\t now \r\n\n today\0', { lower: true }), 'viagra now\ntoday');
  });
});

describe('a pipeline', () => {
  const steps: PreprocessStep[] = [
    { op: 'mime', field: 'raw', headers: ['x-mailer'] },
    { op: 'html-to-text', field: 'html', to: 'text', mode: 'append' },
    {
      op: 'compose',
      to: 'text',
      parts: [
        { field: 'subject', prefix: '' },
        { field: 'text', prefix: '' },
        { field: 'present', prefix: 'has_' },
      ],
    },
    { op: 'normalise', fields: ['subject', 'text'], lower: false, maxLength: 1000 },
    { op: 'drop', fields: ['html'] },
  ];
  const features: FeatureDeclaration[] = [
    { name: 'hits', kind: 'terms', field: 'text', terms: ['FREE', 'money'] },
    { name: 'length', kind: 'length', field: 'subject' },
    { name: 'words', kind: 'words', field: 'subject' },
    { name: 'upper', kind: 'ratio', field: 'subject', of: 'upper' },
    { name: 'digits', kind: 'ratio', field: 'subject', of: 'digit' },
    { name: 'punctuation', kind: 'ratio', field: 'subject', of: 'punctuation' },
    { name: 'foreign', kind: 'ratio', field: 'subject', of: 'non-ascii' },
    { name: 'links', kind: 'substring', field: 'html', substring: 'href' },
    { name: 'mailer', kind: 'is', field: 'present', value: 'x-mailer' },
    { name: 'is_html', kind: 'is', field: 'type', value: 'text/html' },
    { name: 'attachments', kind: 'number', field: 'attachments' },
    { name: 'none', kind: 'length', field: 'nothing' },
  ];
  const raw = `Subject: GET free 10%é\nX-Mailer: x\nContent-Type: text/html\n\n<a href="x">Free</a> <b>freedom</b> money`;

  it('makes payload and features', async () => {
    const { payload, features: values } = await preprocess(steps, features, { raw: utf8(raw), kept: 1 });
    assert.equal(payload['text'], 'GET free 10%é\nFree freedom money\nhas_x-mailer');
    assert.deepEqual(Object.keys(payload).sort(), [
      'attachments',
      'from',
      'kept',
      'present',
      'replyTo',
      'subject',
      'text',
      'type',
    ]);
    assert.deepEqual([...values], [3, 13, 4, 3 / 7, 2 / 13, 1 / 13, 1 / 13, 1, 1, 1, 0, 0]);
  });

  it('leaves the payload it is given alone', async () => {
    const payload: JsonObject = { raw };
    await preprocess(steps, features, payload);
    assert.deepEqual(payload, { raw });
  });

  it('refuses a payload without the text that a step reads', async () => {
    await assert.rejects(preprocess(steps, [], { raw: 1 }), (error: Error) => /\/raw: .*a text/.test(error.message));
  });

  it('answers or refuses, the same each time, whatever the bytes are', async () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map(bytesToBinaryText),
      fc.constantFrom(
        '\n',
        '\r\n\r\n',
        'Subject: =?utf-8?B?4piD?=',
        'Content-Type: multipart/mixed; boundary=b',
        'Content-Type: text/html; charset=gb2312',
        'Content-Transfer-Encoding: base64',
        '--b',
        '--b--',
        '<p',
        '&#x',
        '\ud800',
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const message = pieces.join('\n');
        const attempt = () => preprocess(steps, features, { raw: message }).catch((error: unknown) => error);
        const first = await attempt();
        assert.deepEqual(await attempt(), first);
        if (first instanceof Error) assert.ok(isChimeraError(first, 'CHIMERA_INVALID_INPUT'), first.stack);
        else JSON.stringify((first as { payload: JsonObject }).payload);
      }),
      { numRuns: 300 },
    );
  });
});
