import { canonicalJson, sha256Hex } from '../canonical/canonical.ts';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import type { EffectResult } from './types.ts';

const NO_SCORES = new Float64Array(0);

/** An answer to an effect that could not be performed. */
export function effectError(code: string, message: string): EffectResult {
  return { ok: false, body: utf8ToBytes(canonicalJson({ code, message })), scores: NO_SCORES };
}

/** The answer to an effect: `body` as canonical JSON, `scores` as its numeric view. */
export function effectAnswer(body: unknown, scores: Float64Array = NO_SCORES): EffectResult {
  return { ok: true, body: utf8ToBytes(canonicalJson(body)), scores };
}

const resultHashes = new WeakMap<EffectResult, string>();

/** Name of a result: SHA-256 over ok, the length of the body, the body, and the scores as little-endian doubles. */
export function hashOfResult(result: EffectResult): string {
  const known = resultHashes.get(result);
  if (known !== undefined) return known;
  const { ok, body, scores } = result;
  const bytes = new Uint8Array(5 + body.length + 8 * scores.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, ok ? 1 : 0);
  view.setUint32(1, body.length, true);
  bytes.set(body, 5);
  scores.forEach((score, index) => view.setFloat64(5 + body.length + 8 * index, score, true));
  const hash = sha256Hex(bytes);
  resultHashes.set(result, hash);
  return hash;
}
