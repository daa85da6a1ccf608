import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { fromPeft, readPeftFiles, toPeft, writePeftFiles } from '../../../src/learning/adapters/peft.ts';
import type { Adapter } from '../../../src/learning/adapters/types.ts';
import { denseUpdate } from '../../../src/learning/adapters/updates.ts';
import { TINY_DECODER, TINY_ENCODER } from '../tiny.ts';
import { BASE, difference, refused, sampleAdapter } from './samples.ts';

interface Stored {
  readonly files: { readonly 'adapter_config.json': string; readonly 'adapter_model.safetensors': string };
  /** scaling · B A of each layer as PEFT computes it. */
  readonly updates: Readonly<Record<string, string>>;
}

/** Written by PEFT 0.21.2: fixtures/make.py. */
const fixture = JSON.parse(readFileSync(new URL('fixtures/peft.json', import.meta.url), 'utf8')) as Record<
  string,
  Stored
>;

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
const read = ({ files }: Stored): Adapter =>
  readPeftFiles(bytesOf(files['adapter_config.json']), bytesOf(files['adapter_model.safetensors']), BASE);

const classifier = sampleAdapter(TINY_ENCODER, 'peft', {
  modules: ['encoder.layer.0.attention.self.query', 'encoder.layer.1.output.dense'],
  labels: ['no', 'ja'],
});
const features = sampleAdapter(TINY_ENCODER, 'peft', { modules: ['encoder.layer.0.attention.self.value'] });
const decoder = sampleAdapter(TINY_DECODER, 'peft', { modules: ['model.layers.0.mlp.up_proj'], rankStabilised: true });

describe('adapters that PEFT has stored', () => {
  for (const [name, stored] of Object.entries(fixture)) {
    it(`are read, and update layers as PEFT does: ${name}`, () => {
      const adapter = read(stored);
      assert.deepEqual(
        adapter.targets.map(({ module }) => module),
        Object.keys(stored.updates)
          .map((layer) => layer.replace(/^bert\./, ''))
          .sort(),
      );
      for (const target of adapter.targets) {
        const update = stored.updates[target.module] ?? stored.updates[`bert.${target.module}`]!;
        const expected = new Float32Array(bytesOf(update).buffer);
        assert.ok(difference(denseUpdate(adapter, target), expected) < 1e-6, target.module);
      }
    });
  }

  it('have a task, a scaling and, where they classify, a head', () => {
    const [first, second, third] = ['features', 'classifier', 'decoder'].map((name) => read(fixture[name]!));
    assert.deepEqual([first!.task, first!.rank, first!.alpha, first!.head], ['classification', 2, 3, undefined]);
    assert.deepEqual([second!.task, second!.head!.labels], ['classification', ['LABEL_0', 'LABEL_1', 'LABEL_2']]);
    assert.deepEqual([second!.head!.weight.length, second!.head!.bias.length], [24, 3]);
    assert.deepEqual([third!.task, third!.rank, third!.rankStabilised], ['causal', 3, true]);
  });

  it('load or are refused when bytes have changed, nothing else', () => {
    const { files } = fixture.classifier!;
    const [config, weights] = [bytesOf(files['adapter_config.json']), bytesOf(files['adapter_model.safetensors'])];
    fc.assert(
      fc.property(fc.nat(config.length + weights.length - 1), fc.nat(255), (at, byte) => {
        const changed = [config.slice(), weights.slice()] as const;
        if (at < config.length) changed[0][at] = byte;
        else changed[1][at - config.length] = byte;
        try {
          readPeftFiles(...changed, BASE);
        } catch (error) {
          assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('adapters as PEFT stores them', () => {
  it('have the names that PEFT gives: a classifier is on a BERT, an encoder alone has no such part', () => {
    const names = (adapter: Adapter): string[] => [...toPeft(adapter).weights.keys()].slice(-4);
    assert.deepEqual(names(classifier), [
      'base_model.model.bert.encoder.layer.1.output.dense.lora_A.weight',
      'base_model.model.bert.encoder.layer.1.output.dense.lora_B.weight',
      'base_model.model.classifier.weight',
      'base_model.model.classifier.bias',
    ]);
    assert.match(names(features)[0]!, /^base_model\.model\.encoder\.layer\.0\.attention\.self\.value\.lora_A\.weight$/);
    assert.match(names(decoder)[0]!, /^base_model\.model\.model\.layers\.0\.mlp\.up_proj\.lora_A\.weight$/);
  });

  it('come back as they were, and are then the same bytes', () => {
    for (const adapter of [classifier, features, decoder, ...Object.values(fixture).map(read)]) {
      const files = writePeftFiles(adapter);
      const back = readPeftFiles(files.get('adapter_config.json')!, files.get('adapter_model.safetensors')!, BASE);
      assert.deepEqual(back, adapter);
      assert.deepEqual(writePeftFiles(back), files);
    }
  });

  it('of preference tuning come back as adapters of a causal model', () => {
    const { config, weights } = toPeft({ ...decoder, task: 'preference' });
    assert.deepEqual(fromPeft(config, weights, BASE), decoder);
  });

  it('are not written where they are not valid in themselves', () =>
    refused(() => toPeft({ ...decoder, alpha: NaN }), /alpha/));
});

describe('what PEFT can do and is not supported here', () => {
  const { config, weights, metadata } = toPeft(classifier);
  const settings: Record<string, unknown>[] = [
    ...[{ use_dora: true }, { rank_pattern: { query: 4 } }, { alpha_pattern: { query: 4 } }, { bias: 'all' }],
    ...[{ lora_bias: true }, { use_qalora: true }, { fan_in_fan_out: true }, { trainable_token_indices: [1] }],
    ...[{ layer_replication: [[0, 1]] }, { target_parameters: ['x'] }, { alora_invocation_tokens: [1] }],
    ...[{ init_lora_weights: 'pissa' }, { init_lora_weights: 'loftq' }, { modules_to_save: ['embed_tokens'] }],
    ...[{ peft_type: 'IA3' }, { task_type: 'SEQ_2_SEQ_LM' }, { task_type: null }, { r: 0 }, { lora_alpha: '8' }],
    ...[{ use_rslora: 1 }, { a_setting_of_tomorrow: true }],
  ];
  for (const setting of settings) {
    it(`is refused by its name: ${JSON.stringify(setting)}`, () => {
      const name = new RegExp(`/${Object.keys(setting)[0]}\\b`);
      refused(
        () => fromPeft({ ...config, ...setting }, weights, BASE, metadata),
        /adapter_config\.json is not valid/,
        name,
      );
    });
  }

  it('is refused all at once', () => {
    refused(
      () => fromPeft({ ...config, r: -1, use_dora: true, bias: 'all' }, weights, BASE),
      /\/r:/,
      /\/use_dora:/,
      /\/bias:/,
    );
    for (const none of [undefined, null, 3, 'text', []])
      refused(() => fromPeft(none, weights, BASE), /adapter_config\.json/);
  });

  it('is refused by the names of tensors', () => {
    const odd = new Map(weights);
    const vector = { shape: [2], data: new Float32Array(2) };
    const layer = 'base_model.model.bert.encoder.layer.0.attention.self.query';
    odd.set('base_model.model.bert.embeddings.word_embeddings.lora_embedding_A', vector);
    odd.set(`${layer}.lora_magnitude_vector`, vector);
    odd.set(`${layer}.lora_A.weight`, vector);
    odd.delete('base_model.model.bert.encoder.layer.1.output.dense.lora_B.weight');
    odd.delete('base_model.model.classifier.bias');
    refused(
      () => fromPeft(config, odd, BASE, metadata),
      /lora_embedding_A: a SEQ_CLS adapter with such a tensor is not supported/,
      /lora_magnitude_vector/,
      /query\.lora_A\.weight: it has the shape \[2\], not \[2, any\]/,
      /dense\.lora_B\.weight: this tensor is missing/,
      /classifier\.bias: this tensor is missing/,
    );
    refused(
      () => fromPeft({ ...config, task_type: 'FEATURE_EXTRACTION' }, weights, BASE),
      /classifier\.weight: a FEATURE_EXTRACTION/,
    );
    refused(() => fromPeft({ ...config, r: 3 }, weights, BASE), /not \[3, any\]/);
  });

  it('is refused where labels are none', () => {
    refused(() => fromPeft(config, weights, BASE, { labels: '["a"]' }), /1 labels for 2 rows/);
    refused(() => fromPeft(config, weights, BASE, { labels: '{' }), /not a JSON list of texts/);
  });
});
