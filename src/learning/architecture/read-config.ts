import { z } from 'zod';
import { invalidInput, type Problem } from '../../contracts/errors.ts';
import type { GgufFile } from '../weights/gguf-format.ts';
import { place, refusal } from '../weights/problems.ts';
import type { Weights } from '../weights/types.ts';
import { linearModules, linearShape } from './base.ts';
import type { DecoderConfig, EncoderConfig, ModelConfig } from './config.ts';

const count = (most: number): z.ZodType<number> => z.number().int().min(1).max(most);
const common = {
  layers: count(1024),
  hidden: count(1 << 16),
  heads: count(1024),
  intermediate: count(1 << 20),
  vocabulary: count(1 << 22),
  positions: count(1 << 22),
  epsilon: z.number().positive().max(1),
};
const FAMILIES = {
  encoder: z.strictObject({ ...common, tokenTypes: count(1024) }),
  decoder: z.strictObject({
    ...common,
    keyHeads: count(1024),
    headSize: count(1 << 12).refine((size) => size % 2 === 0, 'rotary positions need an even number'),
    rotaryBase: z.number().positive().max(1e12),
    tiedEmbeddings: z.boolean(),
  }),
} as const;

/** Where a member of a configuration stands in a file, and what it is where it is absent: a value, or made of members before it. */
type Member<T> =
  string | { readonly name: string; readonly otherwise: T | ((before: Record<string, unknown>) => unknown) };
type Members<C extends ModelConfig> = { readonly [K in Exclude<keyof C, 'family'>]: Member<C[K]> };

/** A kind of model: where its numbers stand, and what else must stand there, since it is computed in this one way. */
type Row = (
  | { readonly family: 'encoder'; readonly members: Members<EncoderConfig> }
  | { readonly family: 'decoder'; readonly members: Members<DecoderConfig> }
) & { readonly fixed: Readonly<Record<string, readonly unknown[]>> };

const perHead = ({ hidden, heads }: Record<string, unknown>): number => Number(hidden) / Number(heads);

/** By `model_type` of config.json. What is absent is what transformers takes it for; a dot leads into an object. */
const HUB: Readonly<Record<string, Row>> = {
  bert: {
    family: 'encoder',
    members: {
      layers: 'num_hidden_layers',
      hidden: 'hidden_size',
      heads: 'num_attention_heads',
      intermediate: 'intermediate_size',
      vocabulary: 'vocab_size',
      positions: 'max_position_embeddings',
      tokenTypes: 'type_vocab_size',
      epsilon: 'layer_norm_eps',
    },
    fixed: { hidden_act: ['gelu'], position_embedding_type: ['absolute'], is_decoder: [false] },
  },
  llama: {
    family: 'decoder',
    members: {
      layers: 'num_hidden_layers',
      hidden: 'hidden_size',
      heads: 'num_attention_heads',
      keyHeads: { name: 'num_key_value_heads', otherwise: ({ heads }) => heads },
      headSize: { name: 'head_dim', otherwise: perHead },
      intermediate: 'intermediate_size',
      vocabulary: 'vocab_size',
      positions: 'max_position_embeddings',
      epsilon: 'rms_norm_eps',
      rotaryBase: { name: 'rope_theta', otherwise: 10_000 },
      tiedEmbeddings: { name: 'tie_word_embeddings', otherwise: false },
    },
    fixed: { hidden_act: ['silu'], rope_scaling: [null] },
  },
};
