import { DataType, type Shape } from '../onnx/types.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import { add, divide, gelu, multiply, scale, subtract } from '../graph/ops/arithmetic.ts';
import { matmul } from '../graph/ops/matmul.ts';
import { layerNorm } from '../graph/ops/normalization.ts';
import { sum } from '../graph/ops/reduce.ts';
import { gather, reshape, slice, transpose } from '../graph/ops/shape.ts';
import { softmax } from '../graph/ops/softmax.ts';
import { weight, type BaseModel } from './base.ts';
import type { EncoderConfig } from './config.ts';
import { linear, linears, type LinearOptions, type Updates } from './linear.ts';

/** What is added to the attention of padding: its exponential is 0 in single precision. */
const MASKED = 1e4;

/**
 * Hidden states of a bidirectional encoder (Devlin et al. 2019). `tokens` INT64 [batch, length] → [batch, length, hidden].
 * `mask` [batch, length] is 1 for tokens, 0 for padding. Dimensions may be named where no gradient flows.
 */
export function encode(
  graph: Graph,
  base: BaseModel,
  tokens: Tensor,
  mask: Tensor,
  updates: Updates,
  options: LinearOptions = {},
): Tensor {
  const config = base.config as EncoderConfig;
  const { hidden, heads, layers, epsilon } = config;
  const [batch, length] = tokens.shape as [Shape[number], Shape[number]];
  const norm = (x: Tensor, name: string): Tensor =>
    layerNorm(graph, x, weight(graph, base, `${name}.weight`), weight(graph, base, `${name}.bias`), epsilon);
  const dense = (x: Tensor, module: string): Tensor => linear(graph, base, x, module, updates, options);
  const apart = (x: Tensor): Tensor =>
    transpose(graph, reshape(graph, x, [batch, length, heads, hidden / heads]), [0, 2, 1, 3]);

  const bias = reshape(graph, scale(graph, subtract(graph, mask, graph.scalar(1)), MASKED), [batch, 1, 1, length]);
  let x = norm(embed(graph, base, tokens), 'embeddings.LayerNorm');
  for (let layer = 0; layer < layers; layer++) {
    const name = `encoder.layer.${layer}`;
    const parts = ['query', 'key', 'value'].map((part) => `${name}.attention.self.${part}`);
    const [query, key, value] = linears(graph, base, x, parts, updates, options).map(apart) as [Tensor, Tensor, Tensor];
    const scores = scale(graph, matmul(graph, query, key, { b: true }), 1 / Math.sqrt(hidden / heads));
    const context = matmul(graph, softmax(graph, add(graph, scores, bias)), value);
    const together = reshape(graph, transpose(graph, context, [0, 2, 1, 3]), [batch, length, hidden]);
    x = norm(add(graph, dense(together, `${name}.attention.output.dense`), x), `${name}.attention.output.LayerNorm`);
    const inner = gelu(graph, dense(x, `${name}.intermediate.dense`));
    x = norm(add(graph, dense(inner, `${name}.output.dense`), x), `${name}.output.LayerNorm`);
  }
  return x;
}

function embed(graph: Graph, base: BaseModel, tokens: Tensor): Tensor {
  const words = gather(graph, weight(graph, base, 'embeddings.word_embeddings.weight'), tokens);
  const positions = firstPositions(graph, weight(graph, base, 'embeddings.position_embeddings.weight'), tokens);
  // All tokens are of the first type.
  const type = slice(graph, weight(graph, base, 'embeddings.token_type_embeddings.weight'), 0, 0, 1);
  return add(graph, add(graph, words, positions), type);
}

function firstPositions(graph: Graph, table: Tensor, tokens: Tensor): Tensor {
  const length = tokens.shape[1]!;
  if (typeof length === 'number') return slice(graph, table, 0, 0, length);
  const type = DataType.INT64;
  const shape = graph.node('Shape', [tokens], [2], { type });
  const size = graph.node('Gather', [shape, graph.integers([1], [])], [], { type, attributes: { axis: 0 } });
  const range = graph.node('Range', [graph.integers([0], []), size, graph.integers([1], [])], [length], { type });
  return gather(graph, table, range);
}

/** The mean of the hidden states of an input's tokens: [batch, length, hidden] → [batch, hidden] (Reimers and Gurevych 2019). */
export function meanPool(graph: Graph, states: Tensor, mask: Tensor): Tensor {
  const [batch, length, hidden] = states.shape as [Shape[number], Shape[number], number];
  const kept = multiply(graph, states, reshape(graph, mask, [batch, length, 1]));
  const total = sum(graph, kept, [1], { keep: false });
  return divide(graph, reshape(graph, total, [batch, hidden]), sum(graph, mask, [1]));
}
