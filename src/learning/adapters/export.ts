import { invalidInput, type Problem } from '../../contracts/errors.ts';
import type { DecoderConfig } from '../architecture/config.ts';
import { encodeSafetensors } from '../weights/safetensors.ts';
import type { Weights } from '../weights/types.ts';
import { merged } from './merge.ts';
import type { Adapter } from './types.ts';

/** A tensor of a file, rows first: [outputs, inputs]. */
export interface ExportedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * The bytes of `model.safetensors`: a base in single precision, with an adapter merged into it where one is given. An adapter with a
 * head makes it a `BertForSequenceClassification`, whose pooler must be replaced by the mean over tokens to give the same answers.
 * Throws `CHIMERA_INVALID_INPUT` where the adapter does not fit the base.
 */
export function exportSafetensors(weights: Weights, adapter?: Adapter): Uint8Array {
  const source = adapter === undefined ? weights : merged(weights, adapter);
  const head = adapter?.head;
  const prefix = head === undefined ? '' : 'bert.';
  const tensors = new Map<string, ExportedTensor>();
  for (const name of source.names) {
    tensors.set(prefix + name, { shape: source.shape(name), data: source.f32(name) });
  }
  if (head !== undefined) {
    const rows = head.labels.length;
    tensors.set('classifier.weight', { shape: [rows, head.weight.length / rows], data: head.weight });
    tensors.set('classifier.bias', { shape: [rows], data: head.bias });
  }
  return encodeSafetensors(tensors, { format: 'pt' });
}

/** Names outside the layers, and inside of one, of a Llama in Transformers and in llama.cpp. */
const OUTSIDE: Readonly<Record<string, string>> = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
};
const INSIDE: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};
const LAYER = /^model\.layers\.(\d+)\.(.+)\.weight$/;

/** The name that llama.cpp gives a tensor of a Llama; undefined where it has none. */
export function ggufName(name: string): string | undefined {
  const [, layer, part] = LAYER.exec(name) ?? [];
  if (layer === undefined) return Object.hasOwn(OUTSIDE, name) ? OUTSIDE[name] : undefined;
  return Object.hasOwn(INSIDE, part!) ? `blk.${layer}.${INSIDE[part!]}.weight` : undefined;
}

/**
 * The rows of a query or key matrix [rows, columns] in llama.cpp's order. It rotates neighbouring rows of a head together, where
 * Transformers rotates a row of the head's first half with one of its second (convert_hf_to_gguf.py, `LlamaModel.permute`).
 */
export function interleaveHalves(data: Float32Array, rows: number, heads: number): Float32Array {
  const columns = data.length / rows;
  const headSize = rows / heads;
  const interleaved = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const inHead = row % headSize;
    const half = Math.floor(inHead / (headSize / 2));
    const to = row - inHead + 2 * (inHead % (headSize / 2)) + half;
    interleaved.set(data.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return interleaved;
}

/**
 * The tensors of a decoder as llama.cpp names and orders them, in single precision, with an adapter merged into them where one is
 * given. Throws `CHIMERA_INVALID_INPUT` that names every tensor that llama.cpp's Llama does not have, and where the adapter does
 * not fit the base.
 */
export function ggufTensors(weights: Weights, config: DecoderConfig, adapter?: Adapter): Map<string, ExportedTensor> {
  const source = adapter === undefined ? weights : merged(weights, adapter);
  const problems = source.names
    .filter((name) => ggufName(name) === undefined)
    .map((name): Problem => ({ path: `/${name}`, message: 'GGUF files of Llamas have no such tensor' }));
  if (problems.length > 0) throw invalidInput('the model', problems);
  return new Map(source.names.map((name) => [ggufName(name)!, ggufTensor(source, name, config)]));
}

function ggufTensor(source: Weights, name: string, { heads, keyHeads }: DecoderConfig): ExportedTensor {
  const shape = source.shape(name);
  const data = source.f32(name);
  if (name.endsWith('.q_proj.weight')) return { shape, data: interleaveHalves(data, shape[0]!, heads) };
  if (name.endsWith('.k_proj.weight')) return { shape, data: interleaveHalves(data, shape[0]!, keyHeads) };
  return { shape, data };
}
