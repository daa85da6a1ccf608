import type { LinearSpec } from './spec.ts';

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** The finaliser of MurmurHash3 (Appleby, public domain): every input bit reaches every output bit. */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 1 for ASCII letters, digits and `_`. Everything beyond ASCII counts as a letter: texts are normalised before. */
const WORD = new Uint8Array(128);
for (let code = 0; code < 128; code++) WORD[code] = /\w/.test(String.fromCharCode(code)) ? 1 : 0;

/**
 * Counts the hashed n-grams of one text after another without making a string of any. `columns[0..distinct)` are
 * those of the last text in order of first occurrence; `counts` is indexed by column times {@link CountTable.stride}.
 */
export interface NgramCounter {
  readonly counts: Uint32Array;
  readonly columns: Uint32Array;
  readonly distinct: number;
  /** Counts `text` in place of the text before. */
  count(text: string): void;
}

/** Where a counter counts: zeroes at every multiple of `stride`, and between them room for what belongs to a column. */
export interface CountTable {
  readonly counts: Uint32Array;
  readonly stride: number;
}

/** The number of bits that are set (Warren, Hacker's Delight, 5-1). */
function popcount(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * Feature hashing (Weinberger et al., ICML 2009) without signs: weights may then be read as naive-Bayes ratios too. The columns
 * are the buckets; with `vocabulary`, buckets in ascending order, only those count, and a column is a place in it.
 */
export function createNgramCounter(
  spec: Pick<LinearSpec, 'analyser' | 'ngrams' | 'maxChars' | 'bits'>,
  vocabulary?: Uint32Array,
  table?: CountTable,
): NgramCounter {
  const size = 1 << spec.bits;
  const mask = size - 1;
  const width = vocabulary?.length ?? size;
  const { counts, stride } = table ?? { counts: new Uint32Array(width), stride: 1 };
  const columns = new Uint32Array(width);
  const [shortest, longest] = spec.ngrams;
  let distinct = 0;

  // One bit a bucket and the number of bits before each word of them (Jacobson's rank, FOCS 1989): most n-grams are in no
  // vocabulary, and this is small enough to stay in the cache that a table of all buckets would not fit.
  const member = new Uint32Array((size + 31) >>> 5);
  const before = new Uint32Array(member.length);
  for (const bucket of vocabulary ?? []) member[bucket >>> 5]! |= 1 << (bucket & 31);
  for (let i = 1; i < member.length; i++) before[i] = before[i - 1]! + popcount(member[i - 1]!);

  const add = (hash: number): void => {
    let column = mix(hash) & mask;
    if (vocabulary !== undefined) {
      const word = member[column >>> 5]!;
      const bit = 1 << (column & 31);
      if ((word & bit) === 0) return;
      column = before[column >>> 5]! + popcount(word & (bit - 1));
    }
    if (counts[column * stride]!++ === 0) columns[distinct++] = column;
  };

  const countWords = (text: string): void => {
    // Hashes of the n-grams that end at the word before: lengths 1 to longest − 1.
    const open = new Int32Array(longest);
    let words = 0;
    let hash = FNV_OFFSET;
    let length = 0;
    for (let i = 0; i <= text.length; i++) {
      const code = i < text.length ? text.charCodeAt(i) : 0x20;
      if (code >= 128 || WORD[code] === 1) {
        hash = Math.imul(hash ^ code, FNV_PRIME);
        length++;
        continue;
      }
      if (length >= 2) {
        for (let n = Math.min(longest, words + 1); n >= 1; n--) {
          const gram = n === 1 ? hash : Math.imul(open[n - 2]!, 0x9e3779b1) ^ hash;
          if (n >= shortest) add(gram);
          open[n - 1] = gram;
        }
        words++;
      }
      hash = FNV_OFFSET;
      length = 0;
    }
  };

  const countRuns = (text: string): void => {
    for (let start = 0; start + shortest <= text.length; start++) {
      let hash = FNV_OFFSET;
      const end = Math.min(text.length, start + longest);
      for (let i = start; i < end; i++) {
        hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
        if (i - start + 1 >= shortest) add(hash);
      }
    }
  };

  return {
    counts,
    columns,
    get distinct() {
      return distinct;
    },
    count(text) {
      for (let i = 0; i < distinct; i++) counts[columns[i]! * stride] = 0;
      distinct = 0;
      const lower = text.slice(0, spec.maxChars).toLowerCase();
      if (spec.analyser === 'word') countWords(lower);
      else countRuns(lower);
    },
  };
}
