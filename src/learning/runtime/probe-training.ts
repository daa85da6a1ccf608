import { stream } from '../../core/random/random.ts';
import { Graph, type Tensor } from '../graph/graph.ts';
import { add, gelu, silu } from '../graph/ops/arithmetic.ts';
import { labelLogProbabilities, weightedNegativeSum } from '../graph/ops/loss.ts';
import { matmul } from '../graph/ops/matmul.ts';
import { layerNorm, rmsNorm } from '../graph/ops/normalization.ts';
import { asMatrix, gather, reshape, split } from '../graph/ops/shape.ts';
import { softmax } from '../graph/ops/softmax.ts';
import { DataType, type GraphModel } from '../onnx/types.ts';
import type { Provider } from './provider.ts';
import { indices, openSession, tensor } from './session.ts';

const [BATCH, LENGTH, WIDTH, INNER, TOKENS, LABELS] = [2, 6, 16, 32, 8, 4];
const ROWS = BATCH * LENGTH;
const EPSILON = 1e-5;
const RATE = 0.02;

/** The parameters of the tiny model, in the order in which they lie in its vector. */
const SHAPES: readonly (readonly number[])[] = [
  ...[[TOKENS, WIDTH], [WIDTH], [WIDTH], [WIDTH]],
  ...[[INNER, WIDTH], [INNER], [WIDTH, INNER], [WIDTH], [LABELS, WIDTH]],
];
const SIZES = SHAPES.map((shape) => shape.reduce((a, b) => a * b, 1));
const SIZE = SIZES.reduce((a, b) => a + b, 0);

/** A layer as those of the models have, with both norms and both activations: what a provider must be able to differentiate. */
function tinyGraph(provider: Provider): GraphModel {
  const graph = new Graph({ provider });
  const vector = graph.input('parameters', DataType.FLOAT, [SIZE], { differentiable: true });
  const tokens = graph.input('tokens', DataType.INT64, [BATCH, LENGTH]);
  const labels = graph.input('labels', DataType.INT64, [ROWS]);
  const pieces = split(graph, vector, 0, SIZES).map((piece, i) => reshape(graph, piece, SHAPES[i]!));
  const [table, gain, scale, shift] = pieces.slice(0, 4) as [Tensor, Tensor, Tensor, Tensor];
  const [up, upBias, down, downBias, head] = pieces.slice(4) as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const x = gather(graph, table, tokens);
  const h = rmsNorm(graph, x, gain, EPSILON);
  const seen = matmul(graph, softmax(graph, matmul(graph, h, h, { b: true })), h);
  const g = layerNorm(graph, add(graph, x, seen), scale, shift, EPSILON);
  const inner = silu(graph, add(graph, matmul(graph, g, up, { b: true }), upBias));
  const outer = gelu(graph, add(graph, matmul(graph, inner, down, { b: true }), downBias));
  const logits = matmul(graph, asMatrix(graph, outer), head, { b: true });
  const weights = graph.floats(Array.from({ length: ROWS }, () => 1 / ROWS));
  const loss = weightedNegativeSum(graph, labelLogProbabilities(graph, logits, labels), weights);
  graph.output('loss', loss);
  graph.output('gradient', graph.backward(loss, [vector])[0]!);
  return graph.toModel();
}

function tinyParameters(): Float32Array {
  const draws = stream('probe', 0, 0, 'parameters');
  return Float32Array.from({ length: SIZE }, () => 2 * draws.uniform() - 1);
}

interface Step {
  readonly loss: number;
  readonly gradient: Float32Array;
}

/**
 * Takes a step of training by a provider.
 * @returns how far its gradient is from the processor's, relative; the losses before the step and after it
 */
export async function trainTiny(provider: Provider): Promise<{ distance: number; before: number; after: number }> {
  const parameters = tinyParameters();
  const here = await openTiny('cpu');
  const expected = await here.at(parameters);
  await here.release();
  const there = await openTiny(provider);
  const first = await there.at(parameters);
  const second = await there.at(parameters.map((value, i) => value - RATE * first.gradient[i]!));
  await there.release();
  return { distance: distance(first.gradient, expected.gradient), before: first.loss, after: second.loss };
}

async function openTiny(
  provider: Provider,
): Promise<{ at(parameters: Float32Array): Promise<Step>; release(): Promise<void> }> {
  const session = await openSession(tinyGraph(provider), { provider });
  const cycle = (step: number, size: number): number[] => Array.from({ length: ROWS }, (_, i) => (i * step) % size);
  return {
    async at(parameters) {
      const { loss, gradient } = await session.run({
        parameters: tensor(parameters, [SIZE]),
        tokens: indices(cycle(5, TOKENS), [BATCH, LENGTH]),
        labels: indices(cycle(3, LABELS), [ROWS]),
      });
      return { loss: loss!.data[0] as number, gradient: gradient!.data as Float32Array };
    },
    release: () => session.release(),
  };
}

/** ‖a − b‖ / ‖b‖ */
function distance(a: Float32Array, b: Float32Array): number {
  let difference = 0;
  let length = 0;
  b.forEach((value, i) => {
    difference += (a[i]! - value) ** 2;
    length += value ** 2;
  });
  return Math.sqrt(difference / length);
}
