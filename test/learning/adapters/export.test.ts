import assert from 'node:assert/strict';
import { exportGguf, exportSafetensors } from '../../../src/learning/adapters/export.ts';
import { merged } from '../../../src/learning/adapters/merge.ts';
import { ggufWeights, readGguf } from '../../../src/learning/weights/gguf.ts';
import type { GgufMetadata } from '../../../src/learning/weights/gguf-format.ts';
import { readSafetensors, safetensorsWeights } from '../../../src/learning/weights/safetensors.ts';
import type { Weights } from '../../../src/learning/weights/types.ts';
import { TINY_DECODER, TINY_ENCODER, tinyWeights } from '../tiny.ts';
import { refused, sampleAdapter } from './samples.ts';

const METADATA: GgufMetadata = new Map([
  ['general.architecture', { type: 'string', value: 'llama' }],
  ['llama.attention.head_count', { type: 'uint32', value: TINY_DECODER.heads }],
  ['llama.attention.head_count_kv', { type: 'uint32', value: TINY_DECODER.keyHeads }],
]);
const MODULES = ['q_proj', 'k_proj'].map((part) => `model.layers.1.self_attn.${part}`);
const decoder = sampleAdapter(TINY_DECODER, 'export', { modules: MODULES });

const assertSame = (actual: Weights, expected: Weights): void => {
  assert.deepEqual(actual.names.toSorted(), expected.names.toSorted());
  for (const name of expected.names) {
    assert.deepEqual(actual.shape(name), expected.shape(name), name);
    assert.deepEqual(actual.f32(name), expected.f32(name), name);
  }
};
const openGguf = (bytes: Uint8Array): Weights => ggufWeights(readGguf(bytes, 'the export'));

describe('the export to safetensors', () => {
  it('of a base, and of a base with an adapter merged into it, has their weights', () => {
    const weights = tinyWeights(TINY_DECODER);
    const open = (bytes: Uint8Array): Weights => safetensorsWeights(readSafetensors(bytes, 'the export'));
    assertSame(open(exportSafetensors(weights)), weights);
    assertSame(open(exportSafetensors(weights, decoder)), merged(weights, decoder));
  });

  it('of an encoder with a head is a BERT with a classifier', () => {
    const adapter = sampleAdapter(TINY_ENCODER, 'export', {
      modules: ['encoder.layer.0.output.dense'],
      labels: ['a', 'b', 'c'],
    });
    const file = readSafetensors(exportSafetensors(tinyWeights(TINY_ENCODER), adapter), 'the export');
    assert.deepEqual(file.shape('classifier.weight'), [3, TINY_ENCODER.hidden]);
    assert.deepEqual(file.f32('classifier.bias'), adapter.head!.bias);
    assert.ok(file.has('bert.encoder.layer.0.output.dense.weight') && !file.has('encoder.layer.0.output.dense.weight'));
  });
});

describe('the export to GGUF', () => {
  const weights = tinyWeights(TINY_DECODER);

  it('is read back as the merged weights: names and rows are those of llama.cpp', () => {
    assertSame(openGguf(exportGguf(weights, TINY_DECODER, METADATA)), weights);
    const bytes = exportGguf(weights, TINY_DECODER, METADATA, decoder);
    assertSame(openGguf(bytes), merged(weights, decoder));
    const row = weights.shape(`${MODULES[0]}.weight`)[1]!;
    const stored = new Float32Array(readGguf(bytes, 'it').tensors.get('blk.1.attn_q.weight')!.bytes.slice().buffer);
    const own = merged(weights, decoder).f32(`${MODULES[0]}.weight`);
    // The second row of a head of 16 is the first of the second half: neighbours are turned together.
    assert.deepEqual(stored.subarray(row, 2 * row), own.subarray(8 * row, 9 * row));
  });

  it('keeps blocks of layers that no adapter updates, and is then the same bytes', () => {
    // Codes and scales that half precision holds.
    const packed: Weights = {
      ...weights,
      blocks4: (name) => {
        const [rows, columns] = weights.shape(name) as [number, number];
        if (!name.endsWith('_proj.weight')) return undefined;
        const blocks = (rows * columns) / 32;
        const codes = Uint8Array.from({ length: (rows * columns) / 2 }, (_, i) => (i * 37) % 256);
        return {
          ...{ rows, columns, blockSize: 32, codes },
          ...{ scales: new Float32Array(blocks).fill(0.25), minima: new Float32Array(blocks).fill(-1.5) },
        };
      },
    };
    const bytes = exportGguf(packed, TINY_DECODER, METADATA, decoder);
    const back = openGguf(bytes);
    for (const name of packed.names) {
      if (name.startsWith(MODULES[0]!) || name.startsWith(MODULES[1]!)) assert.equal(back.blocks4(name), undefined);
      else assert.deepEqual(back.blocks4(name), packed.blocks4(name), name);
    }
    assert.deepEqual(exportGguf(back, TINY_DECODER, METADATA), bytes);
  });

  it('of an adapter for another base is refused', () => {
    const other = sampleAdapter({ ...TINY_DECODER, hidden: 32 }, 'export', { modules: MODULES });
    refused(() => exportGguf(weights, TINY_DECODER, METADATA, other), /q_proj: it updates a matrix \[64, 32\]/);
  });
});
