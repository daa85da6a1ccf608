import assert from 'node:assert/strict';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { payloadsFromJson, payloadsJson, payloadsToJson } from '../../src/codec/json.ts';
import { EncryptionCodec, type EncryptionKey } from '../../src/codec/payload-codec.ts';

const key = (id: string, fill: number): EncryptionKey => ({ id, key: Buffer.alloc(32, fill).toString('base64') });
const [OLD, NEW] = [key('2025', 1), key('2026', 2)];

const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value)!;
const valueOf = (payload: Payload): unknown => defaultPayloadConverter.fromPayload(payload);
const text = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString();

describe('codec: payloads that only key holders read', () => {
  it('gives back what it was given, and tells nothing of it meanwhile', async () => {
    const codec = new EncryptionCodec([NEW]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 4 }), async (values) => {
        const encoded = await codec.encode(values.map(payloadOf));
        for (const { metadata } of encoded) {
          assert.equal(text(metadata?.['encoding']), 'binary/encrypted');
          assert.equal(text(metadata?.['encryption-key-id']), '2026');
        }
        assert.deepEqual((await codec.decode(encoded)).map(valueOf), JSON.parse(JSON.stringify(values)));
      }),
      { numRuns: 50 },
    );
    const [encoded] = await codec.encode([payloadOf('a secret that stays one')]);
    assert.equal(Buffer.from(encoded!.data!).includes('secret'), false);
  });

  it('never encrypts the same the same way twice, and nothing twice over', async () => {
    const codec = new EncryptionCodec([NEW]);
    const [one, two] = await codec.encode([payloadOf(1), payloadOf(1)]);
    assert.notDeepEqual(one!.data, two!.data);
    assert.deepEqual(await codec.encode([one!]), [one]);
  });

  it('rotates: the first key encrypts, all decrypt', async () => {
    const [before] = await new EncryptionCodec([OLD]).encode([payloadOf('before')]);
    const rotated = new EncryptionCodec([NEW, OLD]);
    const [after] = await rotated.encode([payloadOf('after')]);
    assert.equal(text(after!.metadata?.['encryption-key-id']), '2026');
    assert.deepEqual((await rotated.decode([before!, after!])).map(valueOf), ['before', 'after']);
    await assert.rejects(new EncryptionCodec([NEW]).decode([before!]), {
      code: 'CHIMERA_PAYLOAD_UNREADABLE',
      message: /key "2025", which is not configured/,
    });
  });

  it('passes foreign encodings through, both ways without a key', async () => {
    const foreign: Payload = { metadata: { encoding: Buffer.from('binary/zlib') }, data: Buffer.from('x') };
    assert.deepEqual(await new EncryptionCodec([NEW]).decode([foreign, payloadOf(7)]), [foreign, payloadOf(7)]);
    const plain = new EncryptionCodec([]);
    assert.deepEqual(await plain.encode([payloadOf(7)]), [payloadOf(7)]);
    assert.deepEqual(await plain.decode([payloadOf(7), {}]), [payloadOf(7), {}]);
  });

  it('says so when a byte was changed, wherever it is', async () => {
    const codec = new EncryptionCodec([NEW, OLD]);
    const [encoded] = await codec.encode([payloadOf({ amount: 10 })]);
    const data = encoded!.data!;
    const changed = { code: 'CHIMERA_PAYLOAD_UNREADABLE', message: /content was changed/ };
    for (let at = 0; at < data.length; at++) {
      const flipped = Uint8Array.from(data, (byte, i) => (i === at ? byte ^ 1 : byte));
      await assert.rejects(codec.decode([{ ...encoded, data: flipped }]), changed, `byte ${at}`);
    }
    const renamed = { ...encoded!.metadata, 'encryption-key-id': Buffer.from('2025') };
    await assert.rejects(codec.decode([{ data, metadata: renamed }]), changed);
    await assert.rejects(codec.decode([{ ...encoded, data: data.subarray(0, 20) }]), { message: /cut short/ });
  });

  it('travels as proto3 JSON', async () => {
    const codec = new EncryptionCodec([NEW]);
    const encoded = await codec.encode([payloadOf({ a: 1 }), {}]);
    const json: unknown = JSON.parse(JSON.stringify(payloadsToJson(encoded)));
    const back = payloadsFromJson(payloadsJson.parse(json));
    assert.deepEqual(valueOf((await codec.decode(back))[0]!), { a: 1 });
    assert.deepEqual(payloadsFromJson(payloadsJson.parse({ payloads: [{}] })), [
      { metadata: {}, data: new Uint8Array() },
    ]);
    assert.equal(payloadsJson.safeParse({ payloads: [{ data: '%' }] }).success, false);
  });
});
