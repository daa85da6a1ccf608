import type { Graph, Tensor } from '../graph.ts';
import { staticShape } from '../shapes.ts';
import { multiply, negate, subtract } from './arithmetic.ts';
import { matmul } from './matmul.ts';
import { concatenate, gather, reshape, split } from './shape.ts';

/**
 * The log-probability of each row's label under softmax(logits). `logits` [rows, classes], `labels` INT64 [rows] → [rows]. In
 * single precision.
 */
export function labelLogProbabilities(graph: Graph, logits: Tensor, labels: Tensor): Tensor {
  const [rows, classes] = staticShape(logits.shape) as [number, number];
  const logs = logSoftmax(graph, logits);
  const column = reshape(graph, labels, [rows, 1]);
  const picked = graph.node('GatherElements', [logs, column], [rows, 1], { attributes: { axis: 1 } });
  const y = graph.node('Reshape', [picked, graph.integers([rows])], [rows]);
  graph.record([y], ([dy]) => {
    const depth = graph.integers([classes], []);
    const oneHot = graph.node('OneHot', [labels, depth, graph.floats([0, 1])], logits.shape, { type: graph.float });
    const rest = subtract(graph, oneHot, graph.node('Exp', [logs], logits.shape));
    graph.accumulate(logits, multiply(graph, rest, reshape(graph, dy!, [rows, 1])));
  });
  return y;
}

/** Rows whose logits exist at a time: what bounds the memory of a large vocabulary. */
const CHUNK = 128;

/**
 * The log-probability of each row's next token. `hidden` [rows, width]; `head` [vocabulary, width], frozen: with tied embeddings
 * it is the table of embeddings; `labels` INT64 [rows] → [rows].
 *
 * The gradient of log p(label) with respect to a row is head[label] − softmax(row · headᵀ) · head: it needs no one-hot vector and
 * only one matrix as wide as the vocabulary. Rows go in chunks, and each chunk's softmax is what stays of it (the idea of
 * Wijmans et al., Cut Your Losses, 2024).
 */
export function tokenLogProbabilities(graph: Graph, hidden: Tensor, head: Tensor, labels: Tensor): Tensor {
  const [rows] = staticShape(hidden.shape) as [number, number];
  const sizes = Array.from({ length: Math.ceil(rows / CHUNK) }, (_, i) => Math.min(CHUNK, rows - i * CHUNK));
  const asked = split(graph, labels, 0, sizes);
  const parts = split(graph, hidden, 0, sizes).map((own, i) => chunkLogProbabilities(graph, own, head, asked[i]!));
  return concatenate(graph, parts, 0);
}

function chunkLogProbabilities(graph: Graph, hidden: Tensor, head: Tensor, labels: Tensor): Tensor {
  const [rows] = staticShape(hidden.shape) as [number, number];
  const [vocabulary] = staticShape(head.shape) as [number, number];
  // The gradient is written by hand below: what it is made of must not be differentiated.
  const frozen = { ...hidden, differentiable: false };
  const logits = matmul(graph, frozen, head, { b: true });
  const logs = logSoftmax(graph, logits);
  const column = reshape(graph, labels, [rows, 1]);
  const picked = graph.node('GatherElements', [logs, column], [rows, 1], { attributes: { axis: 1 } });
  const y = {
    ...graph.node('Reshape', [picked, graph.integers([rows])], [rows]),
    differentiable: hidden.differentiable,
  };
  graph.record([y], ([dy]) => {
    const expected = matmul(graph, graph.node('Exp', [logs], [rows, vocabulary]), head);
    const rest = subtract(graph, gather(graph, head, labels), expected);
    graph.accumulate(hidden, multiply(graph, rest, reshape(graph, dy!, [rows, 1])));
  });
  return y;
}

/** ln softmax over the last axis. No gradient flows through it. */
function logSoftmax(graph: Graph, logits: Tensor): Tensor {
  const { shape } = logits;
  if (graph.provider !== 'webgpu') return graph.node('LogSoftmax', [logits], shape, { attributes: { axis: -1 } });
  // WebGPU has no kernel for that, and a vocabulary's worth of logits is much to bring to the processor and back.
  const axes = graph.integers([shape.length - 1]);
  const row = [...shape.slice(0, -1), 1];
  const highest = graph.node('ReduceMax', [logits, axes], row, { attributes: { keepdims: 1 } });
  const below = graph.node('Sub', [logits, highest], shape);
  const total = graph.node('ReduceSum', [graph.node('Exp', [below], shape), axes], row, {
    attributes: { keepdims: 1 },
  });
  return graph.node('Sub', [below, graph.node('Log', [total], row)], shape);
}

/** −Σ weights · log-probabilities: cross-entropy where a weight is 1 for what counts and 0 for what does not. */
export function weightedNegativeSum(graph: Graph, logProbabilities: Tensor, weights: Tensor): Tensor {
  const [rows] = staticShape(logProbabilities.shape) as [number];
  const row = reshape(graph, logProbabilities, [1, rows]);
  const product = matmul(graph, row, reshape(graph, weights, [rows, 1]));
  return reshape(graph, negate(graph, product), []);
}
