import { DataType } from '../onnx/types.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import { add, multiply, scale, silu, subtract } from '../graph/ops/arithmetic.ts';
import { matmul } from '../graph/ops/matmul.ts';
import { rmsNorm } from '../graph/ops/normalization.ts';
import { gather, reshape, transpose } from '../graph/ops/shape.ts';
import { softmax } from '../graph/ops/softmax.ts';
import { weight, type BaseModel } from './base.ts';
import type { DecoderConfig } from './config.ts';
import { linear, type Updates } from './linear.ts';
import { rotary } from './rotary.ts';

/** What is added to the attention of what must not be seen. */
const MASKED = 1e9;

export interface DecoderInputs {
  /** INT64 [batch, length] */
  readonly tokens: Tensor;
  /** INT64 [batch, length]: a token's place in its own text. */
  readonly positions: Tensor;
  /** INT64 [batch, length]: which text of a packed row a token is of. Texts do not see each other. */
  readonly segments: Tensor;
}

/** Hidden states of a causal decoder (Touvron et al. 2023) for training: → [batch, length, hidden], after the last norm. */
export function decode(graph: Graph, base: BaseModel, inputs: DecoderInputs, updates: Updates): Tensor {
  const config = base.config as DecoderConfig;
  const { heads, keyHeads, headSize, layers, epsilon } = config;
  const [batch, length] = inputs.tokens.shape as [number, number];
  const repeats = heads / keyHeads;
  const norm = (x: Tensor, name: string): Tensor => rmsNorm(graph, x, weight(graph, base, name), epsilon);
  const dense = (x: Tensor, module: string): Tensor => linear(graph, base, x, module, updates);
  const apart = (x: Tensor, count: number): Tensor =>
    transpose(graph, reshape(graph, x, [batch, length, count, headSize]), [0, 2, 1, 3]);
  const turn = rotary(graph, config, inputs.positions);
  const unseen = attentionBias(graph, inputs.segments);

  let x = gather(graph, weight(graph, base, 'model.embed_tokens.weight'), inputs.tokens);
  for (let layer = 0; layer < layers; layer++) {
    const name = `model.layers.${layer}`;
    const h = norm(x, `${name}.input_layernorm.weight`);
    // Queries that share keys are rows of one matrix: no key is copied.
    const grouped = (y: Tensor): Tensor => reshape(graph, y, [batch, keyHeads, repeats * length, headSize]);
    const query = grouped(turn(apart(dense(h, `${name}.self_attn.q_proj`), heads)));
    const key = turn(apart(dense(h, `${name}.self_attn.k_proj`), keyHeads));
    const value = apart(dense(h, `${name}.self_attn.v_proj`), keyHeads);
    const products = scale(graph, matmul(graph, query, key, { b: true }), 1 / Math.sqrt(headSize));
    const scores = reshape(graph, products, [batch, keyHeads, repeats, length, length]);
    const shares = reshape(graph, softmax(graph, add(graph, scores, unseen)), products.shape);
    const context = reshape(graph, matmul(graph, shares, value), [batch, heads, length, headSize]);
    const together = reshape(graph, transpose(graph, context, [0, 2, 1, 3]), [batch, length, heads * headSize]);
    x = add(graph, x, dense(together, `${name}.self_attn.o_proj`));
    const g = norm(x, `${name}.post_attention_layernorm.weight`);
    const gate = silu(graph, dense(g, `${name}.mlp.gate_proj`));
    x = add(graph, x, dense(multiply(graph, gate, dense(g, `${name}.mlp.up_proj`)), `${name}.mlp.down_proj`));
  }
  return norm(x, 'model.norm.weight');
}

/** The table that turns hidden states into logits, [vocabulary, hidden]. */
export const outputHead = (graph: Graph, base: BaseModel): Tensor =>
  weight(graph, base, (base.config as DecoderConfig).tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight');

/** [batch, 1, 1, length, length]: 0 where a token (row) sees another (column) of its text, else far below it. */
function attentionBias(graph: Graph, segments: Tensor): Tensor {
  const [batch, length] = segments.shape as [number, number];
  const causal = Float32Array.from({ length: length * length }, (_, at) =>
    at % length <= Math.floor(at / length) ? 1 : 0,
  );
  const past = graph.initializer(`causal/${length}`, DataType.FLOAT, [length, length], new Uint8Array(causal.buffer));
  const same = graph.node(
    'Equal',
    [reshape(graph, segments, [batch, length, 1]), reshape(graph, segments, [batch, 1, length])],
    [batch, length, length],
    { type: DataType.BOOL },
  );
  const own = graph.node('Cast', [same], [batch, length, length], {
    type: DataType.FLOAT,
    attributes: { to: DataType.FLOAT },
  });
  const seen = multiply(graph, own, past);
  const bias = scale(graph, subtract(graph, seen, graph.scalar(1)), MASKED);
  return reshape(graph, bias, [batch, 1, 1, length, length]);
}
