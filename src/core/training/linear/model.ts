import { z } from 'zod';
import { invalidInput } from '../../../contracts/errors.ts';
import { logistic } from '../../stats/math.ts';
import { decodeTensorFile, encodeTensorFile, type TensorData } from '../tensor-file.ts';
import { inverseFrequency, termWeight } from './matrix.ts';
import { createNgramCounter } from './ngrams.ts';
import { linearSpec, type LinearSpec } from './spec.ts';

const MAGIC = 'CHLM';

const header = z.strictObject({
  format: z.literal(1),
  spec: linearSpec,
  labels: z.array(z.string()).min(2).max(1000),
  /** Examples that document frequencies count. */
  examples: z.number().int().min(1),
  /** One for the last label where there are two labels, else one for each label. */
  problems: z.array(z.strictObject({ bias: z.number(), slope: z.number(), offset: z.number() })).min(1),
});

type Header = z.output<typeof header>;

/** What training hands over: everything a call needs, sparse. */
export interface LinearModelParts {
  readonly spec: LinearSpec;
  readonly labels: readonly string[];
  readonly examples: number;
  readonly problems: Header['problems'];
  /** Ascending. */
  readonly buckets: Uint32Array;
  readonly frequencies: Uint32Array;
  /** Weights of problem p at [p · buckets.length, (p + 1) · buckets.length). */
  readonly weights: Float32Array;
}

/** A model that answers. Not reentrant across threads; each thread loads its own. */
export interface LinearModel {
  readonly spec: LinearSpec;
  readonly labels: readonly string[];
  /** Cost of one call in model-call units. */
  readonly price: number;
  /** The calibrated probability of each label, in the order of `labels`; they add up to 1. */
  score(text: string): Float64Array;
  /** Uncalibrated log-odds, one for each problem. */
  margins(text: string): Float64Array;
}

/** How many two-class problems so many labels make: one against the rest, two labels being one problem. */
export function problemCount(labels: readonly string[]): number {
  return labels.length === 2 ? 1 : labels.length;
}

/** The bytes of a model: the same parts are always the same bytes. */
export function encodeLinearModel(parts: LinearModelParts): Uint8Array {
  const { spec, labels, examples, problems, buckets, frequencies, weights } = parts;
  return encodeTensorFile(MAGIC, { format: 1, spec, labels, examples, problems }, { buckets, frequencies, weights });
}

function tensor<T extends TensorData>(data: TensorData | undefined, type: new (n: number) => T, name: string): T {
  if (data instanceof type) return data;
  throw invalidInput('the model file', [{ path: `/${name}`, message: 'this tensor is missing or of another type' }]);
}

/** Reads and checks a model's bytes. Throws `CHIMERA_INVALID_INPUT` on bytes that are cut off, foreign or not finite. */
export function loadLinearModel(bytes: Uint8Array): LinearModel {
  const file = decodeTensorFile(MAGIC, bytes, 'the model file');
  const parsed = header.safeParse(file.header);
  if (!parsed.success) {
    throw invalidInput(
      'the model file',
      parsed.error.issues.map((issue) => ({ path: `/${issue.path.join('/')}`, message: issue.message })),
    );
  }
  const head = parsed.data;
  const buckets = tensor(file.tensors.get('buckets'), Uint32Array, 'buckets');
  const frequencies = tensor(file.tensors.get('frequencies'), Uint32Array, 'frequencies');
  const weights = tensor(file.tensors.get('weights'), Float32Array, 'weights');
  const count = problemCount(head.labels);
  const size = 1 << head.spec.bits;
  const problems = [
    head.problems.length === count ? '' : `${head.problems.length} problems for ${head.labels.length} labels`,
    frequencies.length === buckets.length ? '' : 'as many frequencies as buckets are needed',
    weights.length === buckets.length * count ? '' : `${buckets.length * count} weights are needed`,
    buckets.every((bucket, i) => bucket < size && (i === 0 || bucket > buckets[i - 1]!))
      ? ''
      : 'buckets must ascend and be within the table',
    frequencies.every((df) => df <= head.examples) ? '' : 'a frequency is larger than the number of examples',
  ].filter((message) => message !== '');
  if (problems.length > 0)
    throw invalidInput(
      'the model file',
      problems.map((message) => ({ path: '', message })),
    );
  return createModel({ ...head, buckets, frequencies, weights });
}

function createModel(parts: LinearModelParts): LinearModel {
  const { spec, labels, problems, buckets, frequencies, weights } = parts;
  const width = problems.length;
  // All that a call needs of a column lies side by side, its count, its weights and its inverse document frequency, since a call
  // misses the cache once for each: (count: u32, weights: f32 each, idf: f64 at an even place).
  const place = (2 + width) >> 1;
  const stride = 2 * (place + 1);
  const words = new ArrayBuffer(buckets.length * stride * 4);
  const counts = new Uint32Array(words);
  const weightAt = new Float32Array(words);
  const inverse = new Float64Array(words);
  frequencies.forEach((df, column) => (inverse[column * (place + 1) + place] = inverseFrequency(df, parts.examples)));
  weights.forEach(
    (weight, i) => (weightAt[(i % buckets.length) * stride + 1 + Math.floor(i / buckets.length)] = weight),
  );
  const counter = createNgramCounter(spec, buckets, { counts, stride });
  const { columns } = counter;

  const margins = (text: string): Float64Array => {
    counter.count(text);
    const sums = new Float64Array(width);
    const { distinct } = counter;
    let square = 0;
    for (let i = 0; i < distinct; i++) {
      const column = columns[i]!;
      const at = column * stride;
      const value = termWeight(counts[at]!) * inverse[column * (place + 1) + place]!;
      square += value * value;
      for (let p = 0; p < width; p++) sums[p]! += value * weightAt[at + 1 + p]!;
    }
    const norm = square > 0 ? 1 / Math.sqrt(square) : 0;
    return sums.map((sum, p) => sum * norm + problems[p]!.bias);
  };

  const score = (text: string): Float64Array => {
    const odds = margins(text).map((m, p) => logistic(problems[p]!.slope * m + problems[p]!.offset));
    if (odds.length === 1) return Float64Array.of(1 - odds[0]!, odds[0]!);
    let total = 0;
    for (const p of odds) total += p;
    return total > 0 ? odds.map((p) => p / total) : odds.fill(1 / odds.length);
  };

  return { spec, labels, price: spec.price, score, margins };
}
