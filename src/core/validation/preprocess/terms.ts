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

const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;
/** Hashes are looked at by their low bits first: nearly every word of a text is no term. */
const MASK = 0xffff;

/** Two code units that are one character: a word's or not as a whole. */
const SURROGATE = /[\ud800-\udfff]/;

const UNKNOWN = 1;
const within = (character: string): number => (/[\p{L}\p{N}_]/u.test(character) ? -1 : 0);
/** All bits set where a code unit is part of a word, none where it is not. Beyond ASCII few occur: those are found out as they do. */
const WITHIN = Int8Array.from({ length: 0x10000 }, (_, code) =>
  code < 128 ? within(String.fromCharCode(code)) : UNKNOWN,
);

function learn(text: string): void {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (WITHIN[code] === UNKNOWN) WITHIN[code] = within(text[i]!);
  }
}

/**
 * Makes a {@link TermCounter}. `places` holds, for each term in lower case, what it adds to. Words are as in {@link wordsOf}; a
 * text is read in one pass that makes no string but of words that are very likely terms.
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
    const lower = text.toLowerCase();
    if (SURROGATE.test(lower)) {
      const words = wordsOf(text);
      for (const word of words) add(word, values);
      return words.length;
    }
    if (!isAscii(lower)) learn(lower);
    let count = 0;
    let hash = FNV_OFFSET;
    let before = 0;
    for (let i = 0; i < lower.length; i++) {
      const code = lower.charCodeAt(i);
      // Where words end follows no pattern that a processor could learn, so that there is no branch on it.
      const inside = WITHIN[code]!;
      const ended = before & ~inside;
      count -= ended;
      if ((ended & likely[hash & MASK]!) !== 0) add(lastWord(lower, i), values);
      hash = (Math.imul(hash ^ code, FNV_PRIME) & inside) | (FNV_OFFSET & ~inside);
      before = inside;
    }
    if (before !== 0) add(lastWord(lower, lower.length), values);
    return count - before;
  };
}

/** The word that ends before `end`. */
function lastWord(text: string, end: number): string {
  let start = end;
  while (start > 0 && WITHIN[text.charCodeAt(start - 1)] !== 0) start--;
  return text.slice(start, end);
}
