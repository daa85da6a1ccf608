import { log } from '../../stats/math.ts';
import { createNgramCounter } from './ngrams.ts';
import type { LinearSpec } from './spec.ts';

/** Rows of sparse features (compressed sparse rows) over the buckets that enough examples have. */
export interface SparseRows {
  /** Row i is `columns` and `values` from `starts[i]` to `starts[i + 1]`. */
  readonly starts: Uint32Array;
  readonly columns: Uint32Array;
  readonly values: Float32Array;
}

/** What fitting learns of the corpus before any weight: which buckets there are and how common each is. */
export interface Vocabulary {
  /** Ascending; the place in this list is the column. */
  readonly buckets: Uint32Array;
  /** In how many examples a bucket occurs. */
  readonly frequencies: Uint32Array;
  /** How many examples there were. */
  readonly examples: number;
}

const LOG_TABLE = Float64Array.from({ length: 64 }, (_, count) => (count === 0 ? 0 : 1 + log(count)));

/** Sublinear term frequency, 1 + log(count). */
export function termWeight(count: number): number {
  return count < 64 ? LOG_TABLE[count]! : 1 + log(count);
}

/** Smoothed inverse document frequency, log((1+n)/(1+df)) + 1, as scikit-learn has it. */
export function inverseFrequency(frequency: number, examples: number): number {
  return log((1 + examples) / (1 + frequency)) + 1;
}

/** Counts in how many texts each bucket occurs and keeps those with enough. */
export function fitVocabulary(spec: LinearSpec, texts: readonly string[]): Vocabulary {
  const counter = createNgramCounter(spec);
  const frequencies = new Uint32Array(1 << spec.bits);
  for (const text of texts) {
    counter.count(text);
    for (let i = 0; i < counter.distinct; i++) frequencies[counter.columns[i]!]!++;
  }
  const kept: number[] = [];
  for (let bucket = 0; bucket < frequencies.length; bucket++) {
    if (frequencies[bucket]! >= spec.minimumExamples) kept.push(bucket);
  }
  const buckets = Uint32Array.from(kept);
  return { buckets, frequencies: buckets.map((bucket) => frequencies[bucket]!), examples: texts.length };
}

/** TF-IDF rows of unit length, the columns of a row in order of first occurrence in its text. */
export function vectorise(spec: LinearSpec, vocabulary: Vocabulary, texts: readonly string[]): SparseRows {
  const counter = createNgramCounter(spec, vocabulary.buckets);
  const idf = Float64Array.from(vocabulary.frequencies, (df) => inverseFrequency(df, vocabulary.examples));
  const starts = new Uint32Array(texts.length + 1);
  let columns = new Uint32Array(1 << 16);
  let values = new Float32Array(1 << 16);
  let used = 0;
  texts.forEach((text, row) => {
    counter.count(text);
    if (used + counter.distinct > columns.length) {
      const size = Math.max(columns.length * 2, used + counter.distinct);
      columns = grown(columns, new Uint32Array(size));
      values = grown(values, new Float32Array(size));
    }
    const begin = used;
    let square = 0;
    for (let i = 0; i < counter.distinct; i++) {
      const column = counter.columns[i]!;
      const value = termWeight(counter.counts[column]!) * idf[column]!;
      columns[used] = column;
      values[used++] = value;
      square += value * value;
    }
    const norm = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let i = begin; i < used; i++) values[i] = values[i]! * norm;
    starts[row + 1] = used;
  });
  return { starts, columns: columns.slice(0, used), values: values.slice(0, used) };
}

function grown<T extends Uint32Array | Float32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
