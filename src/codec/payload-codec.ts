import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { ChimeraError } from '../contracts/errors.ts';

/** A key by its name; `key` is base64 of 32 bytes. */
export interface EncryptionKey {
  readonly id: string;
  readonly key: string;
}

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
const CIPHER = 'aes-256-gcm';
const ENCODING = 'binary/encrypted';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID = 'encryption-key-id';

/**
 * Encrypts each payload, its metadata included, with AES-256-GCM under a fresh random nonce. The first key encrypts, all
 * decrypt: a new key goes in front, the old one stays until nothing is left that it encrypted (the namespace's retention).
 * Without a key payloads go out as they are. Whatever came in under another encoding passes through, so that runs from
 * before the first key, and inputs that were typed into the UI, are read. The data is nonce, ciphertext, tag.
 *
 * Random nonces of 96 bits are safe for 2^32 payloads a key (NIST SP 800-38D, 8.3): rotate before that.
 */
export class EncryptionCodec implements PayloadCodec {
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #current: { id: string; key: Buffer } | undefined;

  constructor(keys: readonly EncryptionKey[]) {
    const decoded = keys.map(({ id, key }) => ({ id, key: Buffer.from(key, 'base64') }));
    this.#keys = new Map(decoded.map(({ id, key }) => [id, key]));
    this.#current = decoded[0];
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    return settled(() => payloads.map((payload) => this.#encrypt(payload)));
  }

  /** @throws {ChimeraError} CHIMERA_PAYLOAD_UNREADABLE: an unknown key, or a content that was changed */
  decode(payloads: Payload[]): Promise<Payload[]> {
    return settled(() => payloads.map((payload) => this.#decrypt(payload)));
  }

  #encrypt(payload: Payload): Payload {
    if (this.#current === undefined || encodingOf(payload) === ENCODING) return payload;
    const { id, key } = this.#current;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(associated(id));
    const plain = PayloadMessage.encode(payload).finish();
    const data = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    return { metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(id) }, data };
  }

  #decrypt(payload: Payload): Payload {
    if (encodingOf(payload) !== ENCODING) return payload;
    const id = textOf(payload.metadata?.[KEY_ID]);
    const key = this.#keys.get(id);
    if (key === undefined) throw unreadable(`it was encrypted with key "${id}", which is not configured`);
    const data = payload.data ?? new Uint8Array();
    if (data.length < NONCE_BYTES + TAG_BYTES) throw unreadable('it is cut short');
    const end = data.length - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(associated(id))
      .setAuthTag(data.subarray(end));
    try {
      const plain = Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, end)), decipher.final()]);
      const { metadata, data: content } = PayloadMessage.decode(plain);
      return { metadata, data: content };
    } catch (error) {
      throw unreadable(`its content was changed, or key "${id}" is another one than it was encrypted with`, error);
    }
  }
}

/** Bound to the ciphertext: neither the encoding nor the key's name can be exchanged. */
const associated = (id: string): Buffer => Buffer.from(`${ENCODING}\n${id}`);

const textOf = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('utf8');

const encodingOf = (payload: Payload): string => textOf(payload.metadata?.['encoding']);

function unreadable(why: string, cause?: unknown): ChimeraError {
  return new ChimeraError('CHIMERA_PAYLOAD_UNREADABLE', { why }, cause === undefined ? {} : { cause });
}

/** What throws at once, as a promise. */
const settled = <T>(work: () => T): Promise<T> => new Promise((resolve) => resolve(work()));
