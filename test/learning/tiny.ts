import { stream } from '../../src/core/random/random.ts';
import { linearModules, linearShape } from '../../src/learning/architecture/base.ts';
import type { DecoderConfig, EncoderConfig, ModelConfig } from '../../src/learning/architecture/config.ts';
import type { Weights } from '../../src/learning/weights/types.ts';

/* Models of a few thousand weights, drawn from a seed: real in everything but size. */

export const TINY_ENCODER: EncoderConfig = {
  ...{ family: 'encoder', layers: 2, hidden: 32, heads: 4, intermediate: 64, vocabulary: 300 },
  ...{ positions: 64, tokenTypes: 2, epsilon: 1e-12 },
};

export const TINY_DECODER: DecoderConfig = {
  ...{ family: 'decoder', layers: 2, hidden: 64, heads: 4, keyHeads: 2, headSize: 16, intermediate: 96 },
  ...{ vocabulary: 320, positions: 128, epsilon: 1e-5, rotaryBase: 10_000, tiedEmbeddings: true },
};

/** Seeded weights of a configuration, under the names of its checkpoint. */
export function tinyWeights(config: ModelConfig, seed = 'tiny'): Weights {
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  const put = (name: string, shape: readonly number[], center: number, spread: number): void => {
    const draws = stream(seed, 0, tensors.size, 'tiny weights');
    const size = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: size }, () => center + spread * (2 * draws.uniform() - 1));
    tensors.set(name, { shape, data });
  };
  const { hidden, vocabulary, layers } = config;
  const norm = (name: string, bias: boolean): void => {
    put(`${name}.weight`, [hidden], 1, 0.1);
    if (bias) put(`${name}.bias`, [hidden], 0, 0.1);
  };
  for (const module of linearModules(config)) {
    const { outputs, inputs } = linearShape(config, module);
    put(`${module}.weight`, [outputs, inputs], 0, 1.7 / Math.sqrt(inputs));
    if (config.family === 'encoder') put(`${module}.bias`, [outputs], 0, 0.1);
  }
  if (config.family === 'encoder') {
    put('embeddings.word_embeddings.weight', [vocabulary, hidden], 0, 1);
    put('embeddings.position_embeddings.weight', [config.positions, hidden], 0, 0.3);
    put('embeddings.token_type_embeddings.weight', [config.tokenTypes, hidden], 0, 0.3);
    norm('embeddings.LayerNorm', true);
    for (let layer = 0; layer < layers; layer++) {
      norm(`encoder.layer.${layer}.attention.output.LayerNorm`, true);
      norm(`encoder.layer.${layer}.output.LayerNorm`, true);
    }
  } else {
    put('model.embed_tokens.weight', [vocabulary, hidden], 0, 0.5);
    norm('model.norm', false);
    for (let layer = 0; layer < layers; layer++) {
      norm(`model.layers.${layer}.input_layernorm`, false);
      norm(`model.layers.${layer}.post_attention_layernorm`, false);
    }
  }
  const of = (name: string) => tensors.get(name)!;
  return {
    names: [...tensors.keys()],
    has: (name) => tensors.has(name),
    shape: (name) => of(name).shape,
    f32: (name) => of(name).data,
    blocks4: () => undefined,
    blocks8: () => undefined,
  };
}
