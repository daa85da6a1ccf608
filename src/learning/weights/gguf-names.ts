import type { Blocks4, Blocks8 } from './types.ts';

/*
 * Names and row orders of a Llama's tensors: llama.cpp has its own of both (its convert_hf_to_gguf.py, LlamaModel), the rest of the
 * world those of the Hugging Face checkpoint.
 */

const OUTSIDE: readonly (readonly [llamaCpp: string, hub: string])[] = [
  ['token_embd.weight', 'model.embed_tokens.weight'],
  ['output_norm.weight', 'model.norm.weight'],
  ['output.weight', 'lm_head.weight'],
];

const OF_A_LAYER: readonly (readonly [llamaCpp: string, hub: string])[] = [
  ['attn_norm', 'input_layernorm'],
  ['attn_q', 'self_attn.q_proj'],
  ['attn_k', 'self_attn.k_proj'],
  ['attn_v', 'self_attn.v_proj'],
  ['attn_output', 'self_attn.o_proj'],
  ['ffn_norm', 'post_attention_layernorm'],
  ['ffn_gate', 'mlp.gate_proj'],
  ['ffn_up', 'mlp.up_proj'],
  ['ffn_down', 'mlp.down_proj'],
];

const toHub = { outside: new Map(OUTSIDE), layer: new Map(OF_A_LAYER) };
const swapped = ([a, b]: readonly [string, string]): [string, string] => [b, a];
const toLlamaCpp = { outside: new Map(OUTSIDE.map(swapped)), layer: new Map(OF_A_LAYER.map(swapped)) };

/** `blk.0.attn_q.weight` → `model.layers.0.self_attn.q_proj.weight`; undefined for what a Llama does not have. */
export function hubName(name: string): string | undefined {
  const [, layer, part, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const translated = toHub.layer.get(part ?? '');
  return translated === undefined ? toHub.outside.get(name) : `model.layers.${layer}.${translated}.${kind}`;
}

/** The other way round. */
export function llamaCppName(name: string): string | undefined {
  const [, layer, part, kind] = /^model\.layers\.(\d+)\.([\w.]+)\.(weight|bias)$/.exec(name) ?? [];
  const translated = toLlamaCpp.layer.get(part ?? '');
  return translated === undefined ? toLlamaCpp.outside.get(name) : `blk.${layer}.${translated}.${kind}`;
}

export interface AttentionHeads {
  readonly heads: number;
  readonly keyHeads: number;
}

/** Heads whose rows llama.cpp has in another order; undefined where a tensor's rows are in the same one. */
export function turnedHeads(hub: string, { heads, keyHeads }: AttentionHeads): number | undefined {
  const [, part] = /\.self_attn\.([qk])_proj\./.exec(hub) ?? [];
  return part === 'q' ? heads : part === 'k' ? keyHeads : undefined;
}

/**
 * Where each row of a checkpoint lies in a GGUF file: rotary positions turn rows i and i + half of a head together, and llama.cpp has
 * the two side by side.
 */
export function llamaCppRows(rows: number, heads: number): Uint32Array {
  const size = rows / heads;
  const half = size / 2;
  return Uint32Array.from({ length: rows }, (_, row) => {
    const within = row % size;
    return row - within + 2 * (within % half) + Math.floor(within / half);
  });
}

/** Row i of what comes out is row `order[i]` of `data`. */
export function reorderRows<T extends Float32Array | Uint8Array | Int8Array>(data: T, order: Uint32Array): T {
  const width = data.length / order.length;
  // A copy of any of them: the slice of a Buffer is none.
  const result = data.map((value) => value) as T;
  order.forEach((from, row) => result.set(data.subarray(from * width, (from + 1) * width), row * width));
  return result;
}

/** The same of a matrix in 4-bit blocks, which lie along its rows. */
export const reorderBlocks4 = (blocks: Blocks4, order: Uint32Array): Blocks4 => ({
  ...blocks,
  codes: reorderRows(blocks.codes, order),
  scales: reorderRows(blocks.scales, order),
  minima: reorderRows(blocks.minima, order),
});

/** The same of a matrix in 8-bit blocks. */
export const reorderBlocks8 = (blocks: Blocks8, order: Uint32Array): Blocks8 => ({
  ...blocks,
  codes: reorderRows(blocks.codes, order),
  scales: reorderRows(blocks.scales, order),
});

/** The order that undoes an order. */
export function inverse(order: Uint32Array): Uint32Array {
  const result = new Uint32Array(order.length);
  order.forEach((from, row) => (result[from] = row));
  return result;
}
