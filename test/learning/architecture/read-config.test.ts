import assert from 'node:assert/strict';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import type { ModelConfig } from '../../../src/learning/architecture/config.ts';
import { checkWeights, configOfGguf, configOfHub } from '../../../src/learning/architecture/read-config.ts';
import type { GgufTensor, GgufValue } from '../../../src/learning/weights/gguf-format.ts';
import { encodeSafetensors, readSafetensors, safetensorsWeights } from '../../../src/learning/weights/safetensors.ts';
import type { Weights } from '../../../src/learning/weights/types.ts';

const bert = {
  ...{ model_type: 'bert', num_hidden_layers: 1, hidden_size: 8, num_attention_heads: 2, intermediate_size: 16 },
  ...{ vocab_size: 10, max_position_embeddings: 6, type_vocab_size: 2, layer_norm_eps: 1e-12 },
  ...{ hidden_act: 'gelu', position_embedding_type: 'absolute' },
};
const encoder: ModelConfig = {
  ...{ family: 'encoder', layers: 1, hidden: 8, heads: 2, intermediate: 16, vocabulary: 10, positions: 6 },
  ...{ tokenTypes: 2, epsilon: 1e-12 },
};
const llama = {
  ...{ model_type: 'llama', num_hidden_layers: 1, hidden_size: 8, num_attention_heads: 2, num_key_value_heads: 1 },
  ...{ intermediate_size: 12, vocab_size: 10, max_position_embeddings: 32, rms_norm_eps: 1e-5, rope_theta: 50_000 },
  ...{ tie_word_embeddings: true, hidden_act: 'silu', rope_scaling: null },
};
const decoder: ModelConfig = {
  ...{ family: 'decoder', layers: 1, hidden: 8, heads: 2, keyHeads: 1, headSize: 4, intermediate: 12, vocabulary: 10 },
  ...{ positions: 32, epsilon: 1e-5, rotaryBase: 50_000, tiedEmbeddings: true },
};

function refused(call: () => unknown, ...lines: string[]): void {
  assert.throws(call, (error: unknown) => {
    assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
    assert.deepEqual(
      error.details.problems?.map(({ path, message }) => `${path}: ${message}`),
      lines,
    );
    return true;
  });
}

const without = (json: object, ...names: string[]): object =>
  Object.fromEntries(Object.entries(json).filter(([name]) => !names.includes(name)));

describe('a config.json', () => {
  it('describes an encoder or a decoder', () => {
    assert.deepEqual(configOfHub(bert, 'it'), encoder);
    assert.deepEqual(configOfHub(llama, 'it'), decoder);
  });

  it('may leave out what transformers has a value for', () => {
    const short = without(
      llama,
      'num_key_value_heads',
      'rope_theta',
      'tie_word_embeddings',
      'hidden_act',
      'rope_scaling',
    );
    assert.deepEqual(configOfHub(short, 'it'), { ...decoder, keyHeads: 2, rotaryBase: 10_000, tiedEmbeddings: false });
    assert.deepEqual(configOfHub({ ...llama, head_dim: 6 }, 'it'), { ...decoder, headSize: 6 });
    const nested = { ...without(llama, 'rope_theta'), rope_parameters: { rope_theta: 7, rope_type: 'default' } };
    assert.deepEqual(configOfHub(nested, 'it'), { ...decoder, rotaryBase: 7 });
  });

  it('is refused where it is of no known kind', () => {
    for (const json of [null, 1, 'bert', [], {}, { model_type: 'toString' }, { model_type: ['gpt2'] }]) {
      refused(() => configOfHub(json, 'it'), '/model_type: it must be one of bert, llama');
    }
    refused(
      () => configOfHub(JSON.parse('{"__proto__":{"model_type":"bert"}}'), 'it'),
      '/model_type: it must be one of bert, llama',
    );
  });

  it('is refused with every problem at once', () => {
    refused(
      () => configOfHub({ model_type: 'llama' }, 'it'),
      ...['num_hidden_layers', 'hidden_size', 'num_attention_heads', 'intermediate_size', 'vocab_size']
        .concat(['max_position_embeddings', 'rms_norm_eps'])
        .map((name) => `/${name}: it is missing`),
    );
    assert.throws(
      () =>
        configOfHub(
          {
            ...llama,
            hidden_size: '8',
            num_hidden_layers: 1e9,
            vocab_size: 1.5,
            rms_norm_eps: NaN,
            hidden_act: 'gelu',
          },
          'it',
        ),
      (error: unknown) => {
        assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'));
        const paths = error.details.problems?.map(({ path }) => path) ?? [];
        const wrong = ['num_hidden_layers', 'hidden_size', 'vocab_size', 'rms_norm_eps', 'hidden_act'];
        assert.deepEqual(new Set(paths), new Set(wrong.map((name) => `/${name}`)));
        return true;
      },
    );
  });

  it('is refused where heads do not divide what is theirs', () => {
    refused(
      () => configOfHub({ ...bert, num_attention_heads: 3 }, 'it'),
      '/num_attention_heads: 3 does not divide hidden_size, which is 8',
    );
    refused(
      () => configOfHub({ ...llama, num_attention_heads: 3, num_key_value_heads: 2 }, 'it'),
      '/num_attention_heads: 3 does not divide hidden_size, which is 8',
      '/num_key_value_heads: 2 does not divide num_attention_heads, which is 3',
    );
    refused(
      () => configOfHub({ ...llama, num_attention_heads: 8, num_key_value_heads: 8 }, 'it'),
      '/head_dim: rotary positions need an even number',
    );
  });

  it('is refused where the model would be computed in another way', () => {
    const others: [object, string][] = [
      [{ ...bert, hidden_act: 'relu' }, '/hidden_act: only gelu is supported'],
      [{ ...bert, position_embedding_type: 'relative_key' }, '/position_embedding_type: only absolute is supported'],
      [{ ...llama, rope_scaling: { type: 'linear', factor: 2 } }, '/rope_scaling: only null is supported'],
      [{ ...llama, rope_parameters: { rope_type: 'yarn' } }, '/rope_parameters.rope_type: only default is supported'],
    ];
    for (const [json, line] of others) refused(() => configOfHub(json, 'it'), line);
  });
});

describe("a GGUF file's metadata", () => {
  const uint32 = (value: number): GgufValue => ({ type: 'uint32', value });
  const metadata = new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['llama.block_count', uint32(1)],
    ['llama.embedding_length', uint32(8)],
    ['llama.attention.head_count', uint32(2)],
    ['llama.attention.head_count_kv', uint32(1)],
    ['llama.feed_forward_length', uint32(12)],
    ['llama.vocab_size', uint32(10)],
    ['llama.context_length', { type: 'uint64', value: 32n }],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: 1e-5 }],
    ['llama.rope.freq_base', { type: 'float32', value: 50_000 }],
    ['llama.rope.dimension_count', uint32(4)],
  ]);
  const tensors = new Map<string, GgufTensor>();
  const changed = (
    ...entries: [string, GgufValue][]
  ): { metadata: Map<string, GgufValue>; tensors: typeof tensors } => ({
    ...{ metadata: new Map([...metadata, ...entries]), tensors },
  });

  it('describe a decoder', () => {
    assert.deepEqual(configOfGguf({ metadata, tensors }, 'it'), decoder);
  });

  it('describe one with an output layer of its own where the file has it', () => {
    const output = new Map([['output.weight', { type: 'F32', shape: [10, 8], bytes: new Uint8Array(320) } as const]]);
    assert.deepEqual(configOfGguf({ metadata, tensors: output }, 'it'), { ...decoder, tiedEmbeddings: false });
  });

  it('count the tokens where they do not say how many there are', () => {
    const given = changed(['tokenizer.ggml.tokens', { type: 'array', of: 'string', value: ['a', 'b', 'c'] }]);
    given.metadata.delete('llama.vocab_size');
    assert.deepEqual(configOfGguf(given, 'it'), { ...decoder, vocabulary: 3 });
  });

  it('are refused where they are of another kind, or computed in another way', () => {
    refused(
      () => configOfGguf({ metadata: new Map(), tensors }, 'it'),
      '/general.architecture: it must be one of llama',
    );
    refused(
      () =>
        configOfGguf(
          changed(
            ['llama.rope.scaling.type', { type: 'string', value: 'linear' }],
            ['llama.expert_count', uint32(8)],
            ['llama.rope.dimension_count', uint32(2)],
          ),
          'it',
        ),
      '/llama.rope.scaling.type: only none is supported',
      '/llama.expert_count: only 0 is supported',
      '/llama.rope.dimension_count: only 4 is supported',
    );
    refused(
      () => configOfGguf(changed(['llama.attention.head_count', { type: 'uint64', value: 3n }]), 'it'),
      '/llama.attention.head_count: 3 does not divide llama.embedding_length, which is 8',
    );
  });
});

describe('the weights of an architecture', () => {
  const shapes: Record<string, number[]> = {
    ...{ 'model.embed_tokens.weight': [10, 8], 'model.norm.weight': [8] },
    ...Object.fromEntries(
      Object.entries({
        ...{ 'self_attn.q_proj': [8, 8], 'self_attn.k_proj': [4, 8], 'self_attn.v_proj': [4, 8] },
        ...{ 'self_attn.o_proj': [8, 8], 'mlp.gate_proj': [12, 8], 'mlp.up_proj': [12, 8], 'mlp.down_proj': [8, 12] },
        ...{ input_layernorm: [8], post_attention_layernorm: [8] },
      }).map(([name, shape]) => [`model.layers.0.${name}.weight`, shape]),
    ),
  };
  const weightsOf = (given: Record<string, number[]>): Weights =>
    safetensorsWeights(
      readSafetensors(
        encodeSafetensors(
          new Map(
            Object.entries(given).map(([name, shape]) => {
              const data = new Float32Array(shape.reduce((product, side) => product * side, 1));
              return [name, { shape, data }];
            }),
          ),
        ),
        'it',
      ),
    );

  it('are all there, others beside them', () => {
    checkWeights(decoder, weightsOf({ ...shapes, 'other.weight': [3] }));
    checkWeights({ ...decoder, tiedEmbeddings: false }, weightsOf({ ...shapes, 'lm_head.weight': [10, 8] }));
  });

  it('are refused with every one that is missing or of another shape', () => {
    const { 'model.norm.weight': _, ...rest } = shapes;
    const changed = {
      'model.layers.0.self_attn.k_proj.weight': [8, 8],
      'model.layers.0.input_layernorm.weight': [8, 1],
    };
    refused(
      () => checkWeights({ ...decoder, tiedEmbeddings: false }, weightsOf({ ...rest, ...changed })),
      '/model.norm.weight: it is missing',
      '/lm_head.weight: it is missing',
      '/model.layers.0.self_attn.k_proj.weight: its shape is [8, 8], not [4, 8]',
      '/model.layers.0.input_layernorm.weight: its shape is [8, 1], not [8]',
    );
  });

  it('need biases of an encoder, and check those of a decoder that has them', () => {
    const biased = { ...shapes, 'model.layers.0.self_attn.q_proj.bias': [4] };
    refused(
      () => checkWeights(decoder, weightsOf(biased)),
      '/model.layers.0.self_attn.q_proj.bias: its shape is [4], not [8]',
    );
    assert.throws(
      () => checkWeights(encoder, weightsOf({})),
      (error: unknown) =>
        isChimeraError(error, 'CHIMERA_INVALID_INPUT') &&
        error.details.problems?.length === 21 &&
        error.message.includes('/encoder.layer.0.attention.self.query.bias: it is missing'),
    );
  });
});
