import type { ModelConfig } from '../../src/learning/architecture/config.ts';

/** A model's shape as the `config.json` that transformers reads. */
export function hubConfig(config: ModelConfig): Record<string, unknown> {
  const common = {
    vocab_size: config.vocabulary,
    hidden_size: config.hidden,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    intermediate_size: config.intermediate,
    max_position_embeddings: config.positions,
    torch_dtype: 'float32',
  };
  if (config.family === 'encoder') {
    return {
      ...{ architectures: ['BertModel'], model_type: 'bert', hidden_act: 'gelu' },
      ...common,
      ...{ type_vocab_size: config.tokenTypes, layer_norm_eps: config.epsilon },
    };
  }
  return {
    ...{ architectures: ['LlamaForCausalLM'], model_type: 'llama', hidden_act: 'silu' },
    ...common,
    num_key_value_heads: config.keyHeads,
    head_dim: config.headSize,
    rms_norm_eps: config.epsilon,
    rope_theta: config.rotaryBase,
    rope_parameters: { rope_type: 'default', rope_theta: config.rotaryBase },
    tie_word_embeddings: config.tiedEmbeddings,
  };
}
