import { isAscii } from './charset.ts';

const WORD = /[\p{L}\p{N}_]+/gu;
const ASCII_WORD = /[a-z0-9_]+/g;

/** The words of a text in lower case: runs of letters, digits and `_`. */
export function wordsOf(text: string): readonly string[] {
  const lower = text.toLowerCase();
  return lower.match(isAscii(lower) ? ASCII_WORD : WORD) ?? [];
}

/** Counts words: adds 1 to `values` at each place that a word of the text stands for, and returns the number of words. */
export type TermCounter = (text: string, values: Float64Array) => number;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** Hashes are looked at by their low bits first: nearly every word of a text is no term. */
const MASK = 0xffff;

/** ASCII letters, digits and `_` as lower case; 0 for what ends a word. */
const LOWER = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  return /\w/.test(character) ? character.toLowerCase().charCodeAt(0) : 0;
});

/**
 * Makes a {@link TermCounter}. `places` holds, for each term in lower case, what it adds to. Words are as in {@link wordsOf}; an
 * ASCII text is read in one pass that makes no string but of words that are very likely terms.
 */
export function createTermCounter(places: ReadonlyMap<string, readonly number[]>): TermCounter {
  const likely = new Uint8Array(MASK + 1);
  for (const term of places.keys()) {
    let hash = FNV_OFFSET;
    for (let i = 0; i < term.length; i++) hash = Math.imul(hash ^ term.charCodeAt(i), FNV_PRIME);
    likely[hash & MASK] = 1;
  }
  const add = (word: string, values: Float64Array): void => {
    for (const place of places.get(word) ?? []) values[place]! += 1;
  };
  return (text, values) => {
    if (!isAscii(text)) {
      const words = wordsOf(text);
      for (const word of words) add(word, values);
      return words.length;
    }
    let count = 0;
    let start = -1;
    let hash = FNV_OFFSET;
    for (let i = 0; i <= text.length; i++) {
      const code = i < text.length ? LOWER[text.charCodeAt(i)]! : 0;
      if (code !== 0) {
        if (start < 0) start = i;
        hash = Math.imul(hash ^ code, FNV_PRIME);
        continue;
      }
      if (start < 0) continue;
      count++;
      if (likely[hash & MASK] === 1) add(text.slice(start, i).toLowerCase(), values);
      start = -1;
      hash = FNV_OFFSET;
    }
    return count;
  };
}
