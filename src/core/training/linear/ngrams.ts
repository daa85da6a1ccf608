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
 * Counts the hashed n-grams of one text after another without making a string of any. `buckets[0..distinct)` are
 * those of the last text in order of first occurrence; `counts` is indexed by bucket.
 */
export interface NgramCounter {
  readonly counts: Uint32Array;
  readonly buckets: Uint32Array;
  readonly distinct: number;
  /** Counts `text` in place of the text before. */
  count(text: string): void;
}

/** Feature hashing (Weinberger et al., ICML 2009) without signs: weights may then be read as naive-Bayes ratios too. */
export function createNgramCounter(spec: Pick<LinearSpec, 'analyser' | 'ngrams' | 'maxChars' | 'bits'>): NgramCounter {
  const size = 1 << spec.bits;
  const mask = size - 1;
  const counts = new Uint32Array(size);
  const buckets = new Uint32Array(size);
  const [shortest, longest] = spec.ngrams;
  let distinct = 0;

  const add = (hash: number): void => {
    const bucket = mix(hash) & mask;
    if (counts[bucket]!++ === 0) buckets[distinct++] = bucket;
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
    buckets,
    get distinct() {
      return distinct;
    },
    count(text) {
      for (let i = 0; i < distinct; i++) counts[buckets[i]!] = 0;
      distinct = 0;
      const lower = text.slice(0, spec.maxChars).toLowerCase();
      if (spec.analyser === 'word') countWords(lower);
      else countRuns(lower);
    },
  };
}
