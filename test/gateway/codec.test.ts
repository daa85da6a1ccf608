import assert from 'node:assert/strict';
import { defaultPayloadConverter } from '@temporalio/common';
import { payloadsFromJson, payloadsToJson, type PayloadsJson } from '../../src/codec/json.ts';
import { EncryptionCodec } from '../../src/codec/payload-codec.ts';
import { CodecAccess } from '../../src/gateway/codec-access.ts';
import { PROJECT, startPlatform, type Platform } from './fixture.ts';

const UI = 'http://127.0.0.1:8233';

describe('gateway: codec endpoints for the Temporal UI', function () {
  this.timeout(240_000);
  const codec = new EncryptionCodec([{ id: 'k', key: Buffer.alloc(32, 7).toString('base64') }]);
  const body = JSON.stringify(payloadsToJson([defaultPayloadConverter.toPayload({ taskType: 'labels' })!]));
  let platform: Platform;

  before(async () => {
    platform = await startPlatform({ ui: { url: UI, namespace: 'default' }, codec: { codec, project: PROJECT } });
  });
  after(() => platform?.close());

  const call = (path: string, headers: Record<string, string>, method = 'POST'): Promise<Response> =>
    fetch(platform.baseUrl + path, {
      method,
      headers: { ...(method === 'POST' ? { 'content-type': 'application/json' } : {}), ...headers },
      ...(method === 'POST' ? { body } : {}),
    });

  it('encodes and decodes for the page of the UI, which sends no key', async () => {
    const encoded = await call('/codec/encode', { origin: UI, 'x-namespace': 'default' });
    assert.equal(encoded.status, 200);
    assert.equal(encoded.headers.get('access-control-allow-origin'), UI);
    const text = await encoded.text();
    const decoded = await fetch(`${platform.baseUrl}/codec/decode`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: UI.replace('127.0.0.1', 'localhost') },
      body: text,
    });
    const [payload] = payloadsFromJson((await decoded.json()) as PayloadsJson);
    assert.deepEqual(defaultPayloadConverter.fromPayload(payload!), { taskType: 'labels' });
  });

  it('answers the question that a browser asks first', async () => {
    const asked = { origin: UI, 'access-control-request-method': 'POST' };
    const allowed = await call('/codec/decode', asked, 'OPTIONS');
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers.get('access-control-allow-origin'), UI);
    assert.match(allowed.headers.get('access-control-allow-headers') ?? '', /X-Namespace/);
    const foreign = await call('/codec/decode', { ...asked, origin: 'https://evil.example' }, 'OPTIONS');
    assert.equal(foreign.headers.get('access-control-allow-origin'), null);
  });

  it('asks everybody else for a key of the operator', async () => {
    for (const headers of [{}, { origin: 'https://evil.example' }, { origin: 'http://127.0.0.1:9999' }]) {
      const refused = await call('/codec/decode', headers as Record<string, string>);
      assert.equal(refused.status, 401);
      assert.equal(refused.headers.get('access-control-allow-origin'), null);
    }
    assert.equal((await call('/codec/decode', { authorization: `Bearer ${platform.apiKey}` })).status, 200);
    await platform.stores.projects.ensure('tenant');
    const { key } = await platform.stores.apiKeys.create('tenant', 'theirs');
    const denied = await call('/codec/decode', { authorization: `Bearer ${key}` });
    assert.equal(denied.status, 403);
  });

  it('says what is wrong with a payload', async () => {
    const [good] = payloadsFromJson((await (await call('/codec/encode', { origin: UI })).json()) as PayloadsJson);
    const bad = payloadsToJson([{ ...good, data: Uint8Array.from(good!.data!, (byte) => byte ^ 1) }]);
    const answer = await fetch(`${platform.baseUrl}/codec/decode`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: UI },
      body: JSON.stringify(bad),
    });
    assert.equal(answer.status, 422);
    assert.match(await answer.text(), /CHIMERA_PAYLOAD_UNREADABLE/);
  });

  it('trusts a page of the UI on this machine only', () => {
    const access = new CodecAccess(UI);
    const from = (ip: string, origin?: string) => ({ ip, headers: origin === undefined ? {} : { origin } });
    assert.equal(access.isUi(from('127.0.0.1', UI)), true);
    assert.equal(access.isUi(from('::1', 'http://[::1]:8233')), true);
    assert.equal(access.isUi(from('10.0.0.7', UI)), false);
    assert.equal(access.isUi(from('127.0.0.1')), false);
    assert.equal(new CodecAccess(undefined).isUi(from('127.0.0.1', UI)), false);
    assert.equal(new CodecAccess('https://ui.example').isUi(from('127.0.0.1', 'https://ui.example')), true);
  });

  it('has no such endpoints where payloads are not encrypted', async () => {
    const plain = await startPlatform();
    try {
      const answer = await plain.call('POST', '/codec/decode', body);
      assert.equal(answer.status, 404);
    } finally {
      await plain.close();
    }
  });
});
