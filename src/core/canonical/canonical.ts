import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** A JSON value. Numbers are finite; `undefined` members are left out, as `JSON.stringify` does. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** A hex SHA-256: the name of a content. */
export type Sha256 = string;

/**
 * Canonical JSON after RFC 8785 (JCS): members sorted by UTF-16 code units, no white space, ECMAScript number format.
 * Everything that is hashed is stored in exactly these bytes. Throws `TypeError` on what JSON cannot hold (NaN,
 * functions, bigint), because a silent `null` would give two contents one name.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.isWellFormed() ? value : value.toWellFormed());
    case 'boolean':
      return value ? 'true' : 'false';
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${value} has no JSON form`);
      return JSON.stringify(value);
    case 'object':
      break;
    default:
      throw new TypeError(`a ${typeof value} has no JSON form`);
  }
  if (value === null) return 'null';
  let members = '';
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) members += (i === 0 ? '' : ',') + canonicalJson(value[i]);
    return `[${members}]`;
  }
  const record = value as Record<string, unknown>;
  for (const key of sortedKeys(record)) {
    const member = record[key];
    if (member !== undefined) members += `${members === '' ? '' : ','}${quoted(key)}:${canonicalJson(member)}`;
  }
  return `{${members}}`;
}

/** Most objects are written down in order. */
function sortedKeys(record: Record<string, unknown>): string[] {
  const keys = Object.keys(record);
  for (let i = 1; i < keys.length; i++) if (keys[i - 1]! > keys[i]!) return keys.sort();
  return keys;
}

/** Names of members repeat by the million. */
const names = new Map<string, string>();
const MAX_NAMES = 4096;
const MAX_NAME = 64;

function quoted(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  const text = JSON.stringify(name);
  if (names.size < MAX_NAMES && name.length <= MAX_NAME) names.set(name, text);
  return text;
}

/** {@link canonicalJson} in UTF-8. */
export function canonicalBytes(value: unknown): Uint8Array {
  return utf8ToBytes(canonicalJson(value));
}

/** SHA-256 of bytes, or of a text's UTF-8, in lower-case hex. */
export type Sha256Hex = (content: Uint8Array | string) => Sha256;

const portable: Sha256Hex = (content) =>
  bytesToHex(sha256(typeof content === 'string' ? utf8ToBytes(content) : content));

let implementation = portable;

/** SHA-256 of bytes, or of a text's UTF-8, in lower-case hex. */
export const sha256Hex: Sha256Hex = (content) => implementation(content);

/**
 * Lets a program put its platform's own SHA-256 in place of the portable one: the same digests, several times faster. Called
 * once, where a program is composed; workflow code keeps the portable one.
 */
export function useSha256(native: Sha256Hex): void {
  implementation = native;
}

/** The name of a value: SHA-256 of its canonical JSON. */
export function hashOf(value: unknown): Sha256 {
  return sha256Hex(canonicalJson(value));
}
