import { philoxBytes, stream } from '../../core/random/random.ts';
import type { AdapterSpec } from '../../contracts/adapters.ts';
import { linearShape } from '../architecture/base.ts';
import type { ModelConfig } from '../architecture/config.ts';
import { indices, tensor, type Values } from '../runtime/session.ts';
import type { TokenExample, TokenRow } from './examples.ts';
import { dropoutSteps, keepInput, type Bucket } from './graphs.ts';
import type { Layout } from './trainables.ts';

/** One run of a training graph. */
export interface MicroBatch {
  readonly bucket: Bucket;
  readonly inputs: Values;
  /** What the loss is to be divided by: examples, or tokens that are predicted. */
  readonly weight: number;
  /** Examples in it; what fills up the rest of the bucket has weight 0. */
  readonly examples: readonly TokenExample[];
}

/** Lengths that graphs are made for. */
const LENGTHS = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192];
/** Never longer than texts can be: a base has no more positions. */
const bucketLength = (longest: number, { maxTokens }: AdapterSpec): number =>
  Math.min(
    LENGTHS.find((length) => length >= longest)!,
    maxTokens,
  );

/**
 * The examples of a step's micro-batch. Every epoch is a new order of all examples, a function of seed and epoch alone, so that
 * the step is all that a run has to remember of where it was.
 */
export function examplesAt(
  examples: readonly TokenExample[],
  { seed, batch, accumulation }: Pick<AdapterSpec, 'seed' | 'batch' | 'accumulation'>,
  step: number,
  micro: number,
): TokenExample[] {
  const from = (step * accumulation + micro) * batch;
  return Array.from({ length: batch }, (_, i) => {
    const at = from + i;
    return examples[orderOf(seed, Math.floor(at / examples.length), examples.length)[at % examples.length]!]!;
  });
}

const orders = new Map<string, number[]>();

function orderOf(seed: string, epoch: number, count: number): number[] {
  const key = JSON.stringify([seed, epoch, count]);
  const known = orders.get(key);
  if (known !== undefined) return known;
  const order = stream(seed, epoch, 0, 'adapter/order').shuffle(Array.from({ length: count }, (_, i) => i));
  if (orders.size >= 4) orders.clear();
  orders.set(key, order);
  return order;
}

/** Packs rows into as few as hold them, first fit in their order; without packing each is its own. */
function packed(rows: readonly TokenRow[], length: number, packing: boolean): TokenRow[][] {
  if (!packing) return rows.map((row) => [row]);
  const bins: { rows: TokenRow[]; room: number }[] = [];
  for (const row of rows) {
    const bin = bins.find(({ room }) => room >= row.tokens.length);
    if (bin === undefined) bins.push({ rows: [row], room: length - row.tokens.length });
    else {
      bin.rows.push(row);
      bin.room -= row.tokens.length;
    }
  }
  return bins.map(({ rows: kept }) => kept);
}

/** How many tokens a graph for rows of a length predicts: each size is its own graph, and each graph holds memory of its own. */
export type PredictedSizes = ReadonlyMap<number, number>;

/** Tokens that are predicted come in multiples of 16. */
const inSteps = (count: number): number => Math.ceil(count / 16) * 16;

/** One size for each length, which is enough for all of these batches; none where labels are learned. */
export function predictedSizes(batches: Iterable<readonly TokenExample[]>, spec: AdapterSpec): PredictedSizes {
  const sizes = new Map<number, number>();
  if (spec.task === 'classification') return sizes;
  for (const examples of batches) {
    const rows = examples.flatMap((example) => example.rows);
    const length = rowLength(rows, spec);
    const count = rows.reduce((sum, { tokens, given }) => sum + tokens.length - given, 0);
    sizes.set(length, Math.max(inSteps(count), sizes.get(length) ?? 0));
  }
  return sizes;
}

/** Examples as the inputs of a graph, `batch` of them or fewer. */
export function microBatch(
  examples: readonly TokenExample[],
  spec: AdapterSpec,
  batch: number,
  sizes: PredictedSizes = new Map(),
): MicroBatch {
  return spec.task === 'classification' ? labelBatch(examples, spec, batch) : tokenBatch(examples, spec, batch, sizes);
}

/** The length that rows are brought to. */
const rowLength = (rows: readonly TokenRow[], spec: AdapterSpec): number =>
  bucketLength(spec.packing ? spec.maxTokens : Math.max(...rows.map(({ tokens }) => tokens.length)), spec);

function labelBatch(examples: readonly TokenExample[], spec: AdapterSpec, batch: number): MicroBatch {
  const rows = examples.map(({ rows: [row] }) => row!.tokens);
  const length = bucketLength(Math.max(...rows.map((tokens) => tokens.length)), spec);
  const tokens = new BigInt64Array(batch * length);
  const mask = new Float32Array(batch * length);
  const weights = Float32Array.from({ length: batch }, (_, i) => (i < examples.length ? 1 : 0));
  for (let i = 0; i < batch; i++) {
    // Padding rows see one token: the mean of none is no number.
    const own = rows[i] ?? [0];
    own.forEach((token, at) => (tokens[i * length + at] = BigInt(token)));
    mask.fill(1, i * length, i * length + own.length);
  }
  const labels = Array.from({ length: batch }, (_, i) => examples[i]?.label ?? 0);
  return {
    bucket: { batch, length, predicted: 0 },
    inputs: {
      tokens: tensor(tokens, [batch, length]),
      mask: tensor(mask, [batch, length]),
      labels: indices(labels, [batch]),
      weights: tensor(weights, [batch]),
    },
    weight: examples.length,
    examples,
  };
}

function tokenBatch(
  examples: readonly TokenExample[],
  spec: AdapterSpec,
  batch: number,
  sizes: PredictedSizes,
): MicroBatch {
  const pairs = spec.task === 'preference';
  const rows = examples.flatMap((example) => example.rows);
  const length = rowLength(rows, spec);
  const bins = packed(rows, length, spec.packing);
  const count = pairs ? 2 * batch : spec.packing ? bins.length : batch;
  const tokens = new BigInt64Array(count * length);
  const positions = new BigInt64Array(count * length);
  // What is padded is a text of its own.
  const segments = new BigInt64Array(count * length).fill(-1n);
  const places: number[] = [];
  const labels: number[] = [];
  const owners: number[] = [];
  bins.forEach((bin, binIndex) => {
    let at = binIndex * length;
    bin.forEach((row, segment) => {
      row.tokens.forEach((token, i) => {
        tokens[at + i] = BigInt(token);
        positions[at + i] = BigInt(i);
        segments[at + i] = BigInt(segment);
        if (i + 1 < row.tokens.length && i + 1 >= row.given) {
          places.push(at + i);
          labels.push(row.tokens[i + 1]!);
          owners.push(binIndex);
        }
      });
      at += row.tokens.length;
    });
  });
  const predicted = Math.min(count * length, Math.max(inSteps(places.length), sizes.get(length) ?? 0));
  const filled = (values: readonly number[]): number[] => Array.from({ length: predicted }, (_, i) => values[i] ?? 0);
  const common = {
    tokens: tensor(tokens, [count, length]),
    positions: tensor(positions, [count, length]),
    segments: tensor(segments, [count, length]),
    places: indices(filled(places), [predicted]),
    labels: indices(filled(labels), [predicted]),
  };
  const bucket = { batch: pairs ? batch : count, length, predicted };
  if (!pairs) {
    const weights = Float32Array.from({ length: predicted }, (_, i) => (i < places.length ? 1 : 0));
    return { bucket, inputs: { ...common, weights: tensor(weights, [predicted]) }, weight: places.length, examples };
  }
  const owner = new Float32Array(count * predicted);
  owners.forEach((of, place) => (owner[of * predicted + place] = 1));
  const weights = Float32Array.from({ length: batch }, (_, i) => (i < examples.length ? 1 : 0));
  return {
    bucket,
    inputs: { ...common, owners: tensor(owner, [count, predicted]), weights: tensor(weights, [batch]) },
    weight: examples.length,
    examples,
  };
}

/** What dropout keeps in a micro-batch: each draw is a function of seed, step, micro-batch and layer. */
export function dropoutInputs(
  config: ModelConfig,
  spec: AdapterSpec,
  { modules }: Layout,
  { batch, length }: Bucket,
  step: number,
  micro: number,
): Values {
  const steps = dropoutSteps(spec);
  if (steps === 0) return {};
  const rows = spec.task === 'preference' ? 2 * batch : batch;
  return Object.fromEntries(
    modules.map((module, index) => {
      const { inputs } = linearShape(config, module);
      const draw = step * spec.accumulation + micro;
      const bytes = philoxBytes(spec.seed, draw, index, 'adapter/dropout', rows * length * inputs);
      for (let i = 0; i < bytes.length; i++) bytes[i] = bytes[i]! < steps ? 0 : 1;
      return [keepInput(module), tensor(bytes, [rows, length, inputs])];
    }),
  );
}
