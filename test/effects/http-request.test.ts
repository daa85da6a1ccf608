import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { parseHttpRequest } from '../../src/effects/http/request.ts';

const url = 'http://a.example/';

describe('the request of an http effect', () => {
  it('is a GET without anything where it says nothing else, its URL normalised', () => {
    assert.deepEqual(parseHttpRequest({ url: 'HTTP://A.example:80/b/../c%20d?q#f' }), {
      method: 'GET',
      url: 'http://a.example/c%20d?q',
      headers: {},
    });
    assert.equal(parseHttpRequest({ url: 'https://bücher.example' }).url, 'https://xn--bcher-kva.example/');
    assert.equal(parseHttpRequest({ url, timeoutMs: 5 }).timeoutMs, 5);
  });

  it('has a body as JSON, as text or as bytes, with the type of its kind unless it names one', () => {
    const bodies = [
      [{ json: { b: [1], a: null } }, '{"a":null,"b":[1]}', 'application/json'],
      [{ json: false }, 'false', 'application/json'],
      [{ text: 'ü' }, 'ü', 'text/plain; charset=utf-8'],
      [{ text: '' }, '', 'text/plain; charset=utf-8'],
      [{ base64: 'AP8=' }, Buffer.from([0, 255]), 'application/octet-stream'],
    ] as const;
    for (const [body, bytes, type] of bodies) {
      const parsed = parseHttpRequest({ url, method: 'POST', ...body } as never);
      assert.deepEqual(Buffer.from(parsed.body!), Buffer.from(bytes));
      assert.equal(parsed.headers['content-type'], type);
    }
    const named = parseHttpRequest({ url, method: 'PUT', text: '<a/>', headers: { 'Content-Type': 'text/xml' } });
    assert.deepEqual(named.headers, { 'content-type': 'text/xml' });
  });

  it('is refused with every problem at once', () => {
    const wrong = {
      url: 'ftp://a.example',
      headers: { Host: 'x', 'x-a': 'ü' },
      text: 'a',
      json: 1,
    };
    assert.throws(
      () => parseHttpRequest(wrong),
      (error) => {
        assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'));
        assert.deepEqual(
          error.details.problems?.map(({ path }) => path),
          ['/url', '/headers/Host', '/headers/x-a', '', ''],
        );
        return true;
      },
    );
  });
});
