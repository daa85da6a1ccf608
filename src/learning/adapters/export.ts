import type { DecoderConfig } from '../architecture/config.ts';
import type { GgufMetadata } from '../weights/gguf-format.ts';
import { encodeGguf, llamaCppTensors, type GgufOutput } from '../weights/gguf-write.ts';
import { encodeSafetensors } from '../weights/safetensors.ts';
import type { Weights } from '../weights/types.ts';
import { merged } from './merge.ts';
import type { Adapter } from './types.ts';

/**
 * The bytes of `model.safetensors`: a base in single precision, with an adapter merged into it where one is given. An adapter with a
 * head makes it a `BertForSequenceClassification`, whose pooler must be replaced by the mean over tokens to give the same answers.
 * Throws `CHIMERA_INVALID_INPUT` where the adapter does not fit the base.
 */
export function exportSafetensors(weights: Weights, adapter?: Adapter): Uint8Array {
  const source = adapter === undefined ? weights : merged(weights, adapter);
  const head = adapter?.head;
  const prefix = head === undefined ? '' : 'bert.';
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
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

/**
 * The bytes of a GGUF file: a decoder, with an adapter merged into it where one is given. What lies in blocks stays in them; merged
 * layers are in single precision, so that nothing of an update is lost. `metadata` is that of the GGUF file of the base: its tokenizer
 * and its sizes. Throws `CHIMERA_INVALID_INPUT` where the adapter does not fit the base, or the format cannot hold a tensor.
 */
export function exportGguf(
  weights: Weights,
  config: DecoderConfig,
  metadata: GgufMetadata,
  adapter?: Adapter,
): Uint8Array {
  const source = adapter === undefined ? weights : merged(weights, adapter);
  const tensors = new Map(source.names.map((name) => [name, outputOf(source, name)]));
  return encodeGguf({ metadata, tensors: llamaCppTensors(tensors, config) });
}

function outputOf(source: Weights, name: string): GgufOutput {
  const blocks4 = source.blocks4(name);
  if (blocks4 !== undefined) return { type: 'Q4_1', blocks: blocks4 };
  const blocks8 = source.blocks8(name);
  if (blocks8 !== undefined) return { type: 'Q8_0', blocks: blocks8 };
  return { type: 'F32', shape: source.shape(name), data: source.f32(name) };
}
