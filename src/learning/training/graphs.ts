import type { AdapterSpec } from '../../contracts/adapters.ts';
import { linearShape, type BaseModel } from '../architecture/base.ts';
import { decode, outputHead } from '../architecture/decoder.ts';
import { encode, meanPool } from '../architecture/encoder.ts';
import { Graph, type Tensor } from '../graph/graph.ts';
import { add, scale, softplus, subtract } from '../graph/ops/arithmetic.ts';
import { labelLogProbabilities, tokenLogProbabilities, weightedNegativeSum } from '../graph/ops/loss.ts';
import { matmul } from '../graph/ops/matmul.ts';
import { asMatrix, gather, reshape } from '../graph/ops/shape.ts';
import { DataType, type GraphModel } from '../onnx/types.ts';
import type { Provider } from '../runtime/provider.ts';
import { bind, updatesOf, type Layout } from './trainables.ts';

/** The shape of one run: everything in a training graph has a fixed size. */
export interface Bucket {
  /** Rows of tokens; pairs of rows for preferences. */
  readonly batch: number;
  readonly length: number;
  /** Tokens whose labels count; 0 for classification. */
  readonly predicted: number;
}

export interface TrainingGraphOptions {
  readonly base: BaseModel;
  readonly spec: AdapterSpec;
  readonly layout: Layout;
  readonly labels: number;
  readonly bucket: Bucket;
  /** With gradient and dropout; without, for evaluation. */
  readonly training: boolean;
  readonly provider?: Provider;
}

/** The loss of a micro-batch as a sum over what counts in it, and what else comes out. */
interface Loss {
  readonly sum: Tensor;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/**
 * Inputs `parameters` [size], `tokens`, and what the task needs, see the builders below; outputs `loss` (a sum: whoever adds up
 * micro-batches divides once), `gradient` [size] where it trains, and the task's own.
 */
export function trainingGraph(options: TrainingGraphOptions): GraphModel {
  const { spec, layout, training, provider } = options;
  const graph = new Graph(provider === undefined ? {} : { provider });
  const vector = graph.input('parameters', DataType.FLOAT, [layout.size], { differentiable: training });
  const builders = { classification, causal, preference };
  const loss = builders[spec.task](graph, bind(graph, vector, layout), options);
  graph.output('loss', loss.sum);
  for (const [name, tensor] of Object.entries(loss.outputs)) graph.output(name, tensor);
  if (training) graph.output('gradient', graph.backward(loss.sum, [vector])[0]!);
  return graph.toModel();
}

/** The name of the input that says what dropout keeps of a layer's inputs: UINT8 [batch, length, inputs], 1 or 0. */
export const keepInput = (module: string): string => `keep/${module}`;

/** The share that dropout leaves out, in the steps in which it can be drawn. */
export const dropoutSteps = ({ dropout }: Pick<AdapterSpec, 'dropout'>): number => Math.round(dropout * 256);

function updates(graph: Graph, pieces: ReadonlyMap<string, Tensor>, rows: number, options: TrainingGraphOptions) {
  const { base, spec, layout, bucket, training } = options;
  const steps = dropoutSteps(spec);
  const keep = (module: string): Tensor | undefined => {
    if (!training || steps === 0) return undefined;
    const shape = [rows, bucket.length, linearShape(base.config, module).inputs];
    const kept = graph.input(keepInput(module), DataType.UINT8, shape);
    const cast = graph.node('Cast', [kept], shape, { type: DataType.FLOAT, attributes: { to: DataType.FLOAT } });
    return scale(graph, cast, 256 / (256 - steps));
  };
  return updatesOf(pieces, layout, spec, keep);
}

/** Inputs `mask` [batch, length], `labels` INT64 [batch], `weights` [batch]; output `logits` [batch, labels]. */
function classification(graph: Graph, pieces: ReadonlyMap<string, Tensor>, options: TrainingGraphOptions): Loss {
  const { base, bucket, labels: count } = options;
  const { batch, length } = bucket;
  const tokens = graph.input('tokens', DataType.INT64, [batch, length]);
  const mask = graph.input('mask', DataType.FLOAT, [batch, length]);
  const labels = graph.input('labels', DataType.INT64, [batch]);
  const weights = graph.input('weights', DataType.FLOAT, [batch]);
  const states = encode(graph, base, tokens, mask, updates(graph, pieces, batch, options));
  const pooled = meanPool(graph, states, mask);
  const product = matmul(graph, pooled, pieces.get('head.weight')!, { b: true });
  const logits = add(graph, product, reshape(graph, pieces.get('head.bias')!, [1, count]));
  const sum = weightedNegativeSum(graph, labelLogProbabilities(graph, logits, labels), weights);
  return { sum, outputs: { logits } };
}

/** The log-probabilities of the tokens that are asked for: inputs as of {@link causal}, but for the weights. */
function predictions(
  graph: Graph,
  pieces: ReadonlyMap<string, Tensor>,
  rows: number,
  options: TrainingGraphOptions,
): Tensor {
  const { base, bucket } = options;
  const { length, predicted } = bucket;
  const inputs = {
    tokens: graph.input('tokens', DataType.INT64, [rows, length]),
    positions: graph.input('positions', DataType.INT64, [rows, length]),
    segments: graph.input('segments', DataType.INT64, [rows, length]),
  };
  const places = graph.input('places', DataType.INT64, [predicted]);
  const labels = graph.input('labels', DataType.INT64, [predicted]);
  const states = decode(graph, base, inputs, updates(graph, pieces, rows, options));
  // Prompts and padding predict nothing: only the rows that count meet the vocabulary.
  const asked = gather(graph, asMatrix(graph, states), places);
  return tokenLogProbabilities(graph, asked, outputHead(graph, base), labels);
}

/**
 * Inputs `positions`, `segments` INT64 [batch, length]; `places` INT64 [predicted], each a token's place in the flat batch;
 * `labels` INT64 [predicted], the token that comes after it; `weights` [predicted].
 */
function causal(graph: Graph, pieces: ReadonlyMap<string, Tensor>, options: TrainingGraphOptions): Loss {
  const { batch, predicted } = options.bucket;
  const logs = predictions(graph, pieces, batch, options);
  const weights = graph.input('weights', DataType.FLOAT, [predicted]);
  return { sum: weightedNegativeSum(graph, logs, weights), outputs: {} };
}

/**
 * Direct preference optimisation (Rafailov et al. 2023), −log σ(β (Δ policy − Δ base)), Δ the log-probability of the better answer
 * minus the worse one's. Rows come in pairs, the better one first. Inputs as of {@link causal} with twice as many rows, and `owners`
 * [2 · batch, predicted], 1 where a token is of a row's answer; `reference` [2 · batch], what the base says; `weights` [batch].
 * Outputs `answers` [2 · batch], the log-probabilities, and `margins` [batch].
 */
function preference(graph: Graph, pieces: ReadonlyMap<string, Tensor>, options: TrainingGraphOptions): Loss {
  const { spec, bucket } = options;
  const { batch, predicted } = bucket;
  const rows = 2 * batch;
  const logs = predictions(graph, pieces, rows, options);
  const owners = graph.input('owners', DataType.FLOAT, [rows, predicted]);
  const reference = graph.input('reference', DataType.FLOAT, [rows]);
  const weights = graph.input('weights', DataType.FLOAT, [batch]);
  const answers = reshape(graph, matmul(graph, owners, reshape(graph, logs, [predicted, 1])), [rows]);
  const gains = reshape(graph, subtract(graph, answers, reference), [batch, 2]);
  const difference = matmul(graph, gains, graph.floats([1, -1], [2, 1]));
  const margins = reshape(graph, scale(graph, difference, spec.beta), [batch]);
  // −log σ(x) = log(1 + e^−x); weighted sums negate.
  const likelihoods = scale(graph, softplus(graph, scale(graph, margins, -1)), -1);
  return { sum: weightedNegativeSum(graph, likelihoods, weights), outputs: { answers, margins } };
}
