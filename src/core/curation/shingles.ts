import type { Json } from '../canonical/canonical.ts';

/**
 * Word shingles of a text as 32-bit hashes. Words are runs of ASCII letters and digits (case folded) and of anything beyond
 * ASCII, told apart by code unit and not by Unicode tables, which differ between engines.
 */

/** Words in one shingle. */
export const SHINGLE_WORDS = 3;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Murmur3's finaliser: every bit of the input reaches every bit of the output. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** FNV-1a of each word of the text, in order. */
function wordHashes(text: string): number[] {
  const words: number[] = [];
  let hash = FNV_OFFSET;
  let inside = false;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code >= 65 && code <= 90) code |= 32;
    if ((code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code > 127) {
      hash = Math.imul(hash ^ code, FNV_PRIME);
      inside = true;
    } else if (inside) {
      words.push(hash);
      hash = FNV_OFFSET;
      inside = false;
    }
  }
  if (inside) words.push(hash);
  return words;
}

/**
 * The set of shingles of a text: ascending, without repetition. A text of fewer than {@link SHINGLE_WORDS} words is one
 * shingle, a text without words has none (and so resembles nothing).
 */
export function shinglesOf(text: string): Uint32Array {
  const words = wordHashes(text);
  if (words.length === 0) return new Uint32Array(0);
  const count = Math.max(1, words.length - SHINGLE_WORDS + 1);
  const hashes = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    let hash = 0;
    for (let k = i; k < Math.min(i + SHINGLE_WORDS, words.length); k++) hash = mix(Math.imul(hash, 31) + words[k]!);
    hashes[i] = hash;
  }
  hashes.sort();
  let unique = 0;
  for (let i = 0; i < count; i++) {
    if (i === 0 || hashes[i] !== hashes[i - 1]) hashes[unique++] = hashes[i]!;
  }
  return hashes.slice(0, unique);
}

/** |A ∩ B| / |A ∪ B| of two ascending sets; 0 where both are empty. */
export function jaccard(a: Uint32Array, b: Uint32Array): number {
  let shared = 0;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const difference = a[i]! - b[j]!;
    if (difference === 0) shared++;
    if (difference <= 0) i++;
    if (difference >= 0) j++;
  }
  const union = a.length + b.length - shared;
  return union === 0 ? 0 : shared / union;
}

/** Every string inside a JSON value, members by sorted key, joined by line feeds: what a near-duplicate is judged on. */
export function textOf(value: Json): string {
  const parts: string[] = [];
  const visit = (one: Json | undefined): void => {
    if (typeof one === 'string') parts.push(one);
    else if (Array.isArray(one)) one.forEach(visit);
    else if (typeof one === 'object' && one !== null) {
      const record = one as { readonly [key: string]: Json | undefined };
      for (const key of Object.keys(record).sort()) visit(record[key]);
    }
  };
  visit(value);
  return parts.join('\n');
}
