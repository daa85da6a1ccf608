import { DataType, type GraphModel } from '../onnx/types.ts';
import { CONTRIB, float, Graph, type Tensor } from '../graph/graph.ts';
import { add, multiply, silu } from '../graph/ops/arithmetic.ts';
import { matmul } from '../graph/ops/matmul.ts';
import { rmsNorm } from '../graph/ops/normalization.ts';
import { gather } from '../graph/ops/shape.ts';
import { weight, type BaseModel } from './base.ts';
import type { DecoderConfig } from './config.ts';
import { outputHead } from './decoder.ts';
import { linear, linears, stackedLinear, type LinearOptions } from './linear.ts';
import { updateInputs, type UpdateLayout } from './update-inputs.ts';

/** Keys or values of one layer: those of the tokens before go in, those of the new tokens come out. */
export interface CacheNames {
  readonly past: string;
  readonly added: string;
}

export interface ServingDecoder {
  readonly model: GraphModel;
  readonly caches: readonly CacheNames[];
}

/**
 * A decoder that goes on from what it has seen (one text, any number of new tokens). Inputs `tokens` INT64 [1, length]; `last` INT32
 * [1], the place of the last new token; `total` INT32 [], tokens with the new ones; `from` and `to` INT64 [1], the places of the first
 * new token and after the last one; `cosines` and `sines` [capacity, headSize / 2], see `rotaryTables`: a model may take far more tokens
 * than it is ever given; keys and values of each layer [1, keyHeads, capacity, headSize]; the updates of the layout where there is one.
 * Outputs `logits` [1, 1, vocabulary] of the last token, and keys and values of the new tokens [1, keyHeads, length, headSize]: the
 * runtime's binding copies whatever comes out, even into what went in, and all of them would be megabytes a token.
 */
export function servingDecoder(
  base: BaseModel,
  layout: UpdateLayout | undefined,
  options: LinearOptions,
): ServingDecoder {
  const config = base.config as DecoderConfig;
  const { hidden, heads, keyHeads, headSize, layers, epsilon } = config;
  const graph = new Graph();
  const tokens = graph.input('tokens', DataType.INT64, [1, 'length']);
  const last = graph.input('last', DataType.INT32, [1]);
  const total = graph.input('total', DataType.INT32, []);
  const from = graph.input('from', DataType.INT64, [1]);
  const to = graph.input('to', DataType.INT64, [1]);
  const updates = layout === undefined ? new Map() : updateInputs(graph, config, layout, 1);
  const norm = (x: Tensor, name: string): Tensor => rmsNorm(graph, x, weight(graph, base, name), epsilon);
  const addAndNorm = (x: Tensor, y: Tensor, name: string): readonly [sum: Tensor, normal: Tensor] => {
    const { shape } = x;
    const [normal, , , sum] = graph.nodes(
      'SkipSimplifiedLayerNormalization',
      [x, y, weight(graph, base, name)],
      [{ shape }, { shape: [] }, { shape: [] }, { shape }],
      { domain: CONTRIB, attributes: { epsilon: float(epsilon) } },
    );
    return [sum!, normal!];
  };
  const dense = (x: Tensor, module: string): Tensor => linear(graph, base, x, module, updates, options);
  const angles = ['cosines', 'sines'].map((name) => graph.input(name, DataType.FLOAT, ['capacity', headSize / 2]));
  const caches: CacheNames[] = [];

  const attend = (layer: number, [query, key, value]: readonly (Tensor | undefined)[]): Tensor => {
    const pasts = ['keys', 'values'].map((name) =>
      graph.input(`${name}.${layer}`, DataType.FLOAT, [1, keyHeads, 'capacity', headSize]),
    );
    const present = { shape: [1, keyHeads, 'capacity', headSize] };
    const [context, ...grown] = graph.nodes(
      'GroupQueryAttention',
      [query, key, value, ...pasts, last, total, ...angles],
      [{ shape: [1, 'length', heads * headSize] }, present, present],
      { domain: CONTRIB, attributes: { num_heads: heads, kv_num_heads: keyHeads, do_rotary: 1 } },
    );
    grown.forEach((present, i) => {
      const added = graph.node('Slice', [present, from, to, graph.integers([2])], [1, keyHeads, 'length', headSize]);
      const name = `added.${pasts[i]!.name}`;
      graph.output(name, added);
      caches.push({ past: pasts[i]!.name, added: name });
    });
    return context!;
  };

  let x = gather(graph, weight(graph, base, 'model.embed_tokens.weight'), tokens);
  let h = norm(x, 'model.layers.0.input_layernorm.weight');
  for (let layer = 0; layer < layers; layer++) {
    const name = `model.layers.${layer}`;
    const parts = ['q_proj', 'k_proj', 'v_proj'].map((part) => `${name}.self_attn.${part}`);
    // The runtime takes them side by side, too.
    const queries = parts.some((part) => updates.has(part))
      ? linears(graph, base, h, parts, updates, options)
      : [stackedLinear(graph, base, h, parts, options), undefined, undefined];
    const context = dense(attend(layer, queries), `${name}.self_attn.o_proj`);
    [x, h] = addAndNorm(x, context, `${name}.post_attention_layernorm.weight`);
    const both = ['gate_proj', 'up_proj'].map((part) => `${name}.mlp.${part}`);
    const [gate, up] = linears(graph, base, h, both, updates, options);
    const inner = dense(multiply(graph, silu(graph, gate!), up!), `${name}.mlp.down_proj`);
    const next = layer + 1 < layers ? `model.layers.${layer + 1}.input_layernorm.weight` : 'model.norm.weight';
    [x, h] = addAndNorm(x, inner, next);
  }
  const end = graph.node('Gather', [h, graph.integers([-1])], [1, 1, hidden], { attributes: { axis: 1 } });
  graph.output('logits', logits(graph, base, end, options));
  return { model: graph.toModel(), caches };
}

/** By the 8-bit blocks of the output layer where it has them: the sum of the products with its high and its low halves. */
function logits(graph: Graph, base: BaseModel, x: Tensor, { accuracy }: LinearOptions): Tensor {
  const codes = base.tensors.get('head.high.codes');
  if (base.precision === 'fp32' || codes === undefined) return matmul(graph, x, outputHead(graph, base), { b: true });
  const [rows, blocks, half] = codes.shape as [number, number, number];
  const product = (part: string, ...zeros: string[]): Tensor => {
    const tensors = [`${part}.codes`, `${part}.scales`, ...zeros].map((name) => weight(graph, base, `head.${name}`));
    return graph.node('MatMulNBits', [x, ...tensors], [1, 1, rows], {
      attributes: {
        ...{ K: blocks * half * 2, N: rows, bits: 4, block_size: half * 2 },
        ...(accuracy === undefined ? {} : { accuracy_level: accuracy }),
      },
      domain: CONTRIB,
    });
  };
  return add(graph, product('high'), product('low', 'low.zeros'));
}
