import { utf8ToBytes } from '@noble/hashes/utils.js';
import { z } from 'zod';
import type { JsonValue } from '../../contracts/records.ts';
import { sha256Hex } from '../canonical/canonical.ts';
import { effectAnswer, effectError } from './results.ts';
import type { EffectResult } from './types.ts';

/** Bytes of one block. */
export const BLOCK_BYTES = 65_536;
/** Bytes of all blocks that one execution may keep. */
export const MEMORY_BYTES = 16 * 1_048_576;

/** The request of a `memory` effect, understood. */
export type MemoryRequest =
  | { readonly op: 'put'; readonly bytes: Uint8Array; readonly sha256: string }
  | { readonly op: 'get'; readonly sha256: string; readonly as: 'text' | 'base64' };

const request = z.union([
  z.strictObject({ put: z.union([z.strictObject({ text: z.string() }), z.strictObject({ base64: z.base64() })]) }),
  z.strictObject({
    get: z.string().regex(/^[0-9a-f]{64}$/),
    as: z.enum(['text', 'base64']).default('text'),
  }),
]);

/**
 * Blocks of bytes that the host keeps for one execution, named by their SHA-256: `{"put": {"text"}}` or `{"put": {"base64"}}`
 * answers `{"sha256", "bytes"}`; `{"get": sha256, "as"?: "text" | "base64"}` answers what was put. An agent's state is small
 * and is handed from step to step; what is larger lies here. Both are functions of what the execution has put before, so
 * that its answers are the same wherever it runs. The answer to a request that cannot be understood comes back in its place.
 */
export function parseMemoryRequest(value: JsonValue): MemoryRequest | EffectResult {
  const parsed = request.safeParse(value);
  if (!parsed.success) {
    return effectError(
      'CHIMERA_INVALID_INPUT',
      'memory wants {"put": {"text"}}, {"put": {"base64"}} or {"get": sha256, "as": "text" or "base64"}',
    );
  }
  if ('get' in parsed.data) return { op: 'get', sha256: parsed.data.get, as: parsed.data.as };
  const { put } = parsed.data;
  const bytes = 'text' in put ? utf8ToBytes(put.text) : fromBase64(put.base64);
  if (bytes.length > BLOCK_BYTES) {
    return effectError('CHIMERA_TOO_LARGE', `a block has ${bytes.length} bytes, the limit is ${BLOCK_BYTES}`);
  }
  return { op: 'put', bytes, sha256: sha256Hex(bytes) };
}

/** The answer to a `put` of a block; `kept`: bytes that the execution keeps with it. */
export function putAnswer(sha256: string, bytes: number, kept: number): EffectResult {
  if (kept > MEMORY_BYTES) {
    return effectError('CHIMERA_TOO_LARGE', `the memory of this execution is full: ${MEMORY_BYTES} bytes`);
  }
  return effectAnswer({ sha256, bytes });
}

/** The answer to a `get`; `bytes` is undefined where this execution has put nothing of that name. */
export function getAnswer(bytes: Uint8Array | undefined, as: 'text' | 'base64'): EffectResult {
  if (bytes === undefined) return effectError('CHIMERA_NOT_FOUND', 'this execution has put no such block');
  if (as === 'base64') return effectAnswer({ base64: toBase64(bytes) });
  try {
    return effectAnswer({ text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) });
  } catch {
    return effectError('CHIMERA_INVALID_INPUT', 'the block is no UTF-8 text: get it as base64');
  }
}

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const toBase64 = (bytes: Uint8Array): string => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
