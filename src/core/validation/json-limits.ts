import { ChimeraError } from '../../contracts/errors.ts';
import type { JsonValue } from '../../contracts/records.ts';

export interface JsonLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  /** What the bytes are, for the message. Default: "the body". */
  readonly what?: string;
}

/**
 * How deep JSON text nests, found without parsing it: brackets outside strings. Stops as soon as `limit` is passed, so
 * that hostile nesting costs nothing.
 */
export function jsonDepth(bytes: Uint8Array, limit: number = Number.MAX_SAFE_INTEGER): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) {
      inString = true;
    } else if (byte === 0x7b || byte === 0x5b) {
      deepest = Math.max(deepest, ++depth);
      if (deepest > limit) return deepest;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
    }
  }
  return deepest;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Is there a number in it that was too large for a double? `JSON.parse` makes it infinite, and nothing can be hashed with that. */
function hasInfinity(value: JsonValue): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return false;
  return (Array.isArray(value) ? value : Object.values(value)).some((one) => hasInfinity(one as JsonValue));
}

/**
 * Parses JSON from outside: size and depth are checked before anything is built. Throws `CHIMERA_TOO_LARGE` or
 * `CHIMERA_MALFORMED_JSON`. A scalar has depth 0.
 */
export function parseLimited(bytes: Uint8Array, limits: JsonLimits): JsonValue {
  const { maxBytes, maxDepth, what = 'the body' } = limits;
  if (bytes.length > maxBytes) {
    throw new ChimeraError('CHIMERA_TOO_LARGE', { what, actual: `${bytes.length} bytes`, limit: `${maxBytes} bytes` });
  }
  if (jsonDepth(bytes, maxDepth) > maxDepth) {
    throw new ChimeraError('CHIMERA_TOO_LARGE', {
      what,
      actual: `more than ${maxDepth} levels of nesting`,
      limit: `${maxDepth} levels`,
    });
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new ChimeraError('CHIMERA_MALFORMED_JSON', { why: 'it is not valid UTF-8' });
  }
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new ChimeraError('CHIMERA_MALFORMED_JSON', { why: error instanceof Error ? error.message : String(error) });
  }
  if (hasInfinity(value)) throw new ChimeraError('CHIMERA_MALFORMED_JSON', { why: 'a number is too large' });
  return value;
}
