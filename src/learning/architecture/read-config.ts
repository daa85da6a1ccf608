import { z } from 'zod';
import type { Problem } from '../../contracts/errors.ts';
import type { GgufHead } from '../weights/gguf-format.ts';
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
const encoder = z.object({ family: z.literal('encoder'), ...common, tokenTypes: count(1024) });
const decoder = z.object({
  family: z.literal('decoder'),
  ...common,
  keyHeads: count(1024),
  headSize: count(1 << 12).refine((size) => size % 2 === 0, 'rotary positions need an even number'),
  rotaryBase: z.number().positive().max(1e12),
  tiedEmbeddings: z.boolean(),
});

type Values = Readonly<Record<string, unknown>>;

/** Names of a member in a file, and what it is where the file has none of them: a function of the members above it. */
interface Member {
  readonly names: readonly string[];
  readonly otherwise?: (above: Values) => unknown;
}
type Members<C extends ModelConfig> = Readonly<Record<Exclude<keyof C, 'family'>, Member>>;

/** A kind of model. */
type Kind = (
  | { readonly family: 'encoder'; readonly members: Members<EncoderConfig> }
  | { readonly family: 'decoder'; readonly members: Members<DecoderConfig> }
) & {
  /** What may stand at other names, where something does: models are computed in one way only. */
  readonly only: Readonly<Record<string, readonly unknown[]>>;
  /** Names that, where they are there, must say the same as a member. */
  readonly same?: Readonly<Record<string, keyof DecoderConfig>>;
};

const named = (...names: string[]): Member => ({ names });
const perHead = ({ hidden, heads }: Values): number | undefined =>
  Number(hidden) % Number(heads) === 0 ? Number(hidden) / Number(heads) : undefined;

/** By `model_type` of a config.json. What may be absent is what transformers takes it for; a dot leads into an object. */
const OF_HUB: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [
    'bert',
    {
      family: 'encoder',
      members: {
        layers: named('num_hidden_layers'),
        hidden: named('hidden_size'),
        heads: named('num_attention_heads'),
        intermediate: named('intermediate_size'),
        vocabulary: named('vocab_size'),
        positions: named('max_position_embeddings'),
        tokenTypes: named('type_vocab_size'),
        epsilon: named('layer_norm_eps'),
      },
      only: { hidden_act: ['gelu'], position_embedding_type: ['absolute'], is_decoder: [false] },
    },
  ],
  [
    'llama',
    {
      family: 'decoder',
      members: {
        layers: named('num_hidden_layers'),
        hidden: named('hidden_size'),
        heads: named('num_attention_heads'),
        keyHeads: { names: ['num_key_value_heads'], otherwise: ({ heads }) => heads },
        headSize: { names: ['head_dim'], otherwise: perHead },
        intermediate: named('intermediate_size'),
        vocabulary: named('vocab_size'),
        positions: named('max_position_embeddings'),
        epsilon: named('rms_norm_eps'),
        rotaryBase: { names: ['rope_theta', 'rope_parameters.rope_theta'], otherwise: () => 10_000 },
        tiedEmbeddings: { names: ['tie_word_embeddings'], otherwise: () => false },
      },
      only: { hidden_act: ['silu'], rope_scaling: [], 'rope_parameters.rope_type': ['default'] },
    },
  ],
]);

/** By `general.architecture` of a GGUF file. `tokens` and `tied` are what its other parts say. */
const OF_GGUF: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [
    'llama',
    {
      family: 'decoder',
      members: {
        layers: named('llama.block_count'),
        hidden: named('llama.embedding_length'),
        heads: named('llama.attention.head_count'),
        keyHeads: { names: ['llama.attention.head_count_kv'], otherwise: ({ heads }) => heads },
        headSize: { names: ['llama.attention.key_length'], otherwise: perHead },
        intermediate: named('llama.feed_forward_length'),
        vocabulary: named('llama.vocab_size', 'tokens'),
        positions: named('llama.context_length'),
        epsilon: named('llama.attention.layer_norm_rms_epsilon'),
        rotaryBase: { names: ['llama.rope.freq_base'], otherwise: () => 10_000 },
        tiedEmbeddings: named('tied'),
      },
      only: { 'llama.rope.scaling.type': ['none'], 'llama.expert_count': [0] },
      same: { 'llama.rope.dimension_count': 'headSize', 'llama.attention.value_length': 'headSize' },
    },
  ],
]);

/**
 * The architecture that a Hugging Face `config.json` describes.
 * @throws `CHIMERA_INVALID_INPUT` that names everything that is missing, wrong, or computed in another way than here
 */
export function configOfHub(json: unknown, what: string): ModelConfig {
  const at = (name: string): unknown => name.split('.').reduce(memberOf, json);
  return read(OF_HUB, 'model_type', at, what);
}

/** The architecture that the metadata of a GGUF file describe. Throws as {@link configOfHub} does. */
export function configOfGguf({ metadata, tensors }: GgufHead, what: string): ModelConfig {
  const tokens = metadata.get('tokenizer.ggml.tokens')?.value;
  const derived = new Map<string, unknown>([
    ['tokens', Array.isArray(tokens) ? tokens.length : undefined],
    ['tied', !tensors.has('output.weight')],
  ]);
  const at = (name: string): unknown => {
    const value = metadata.get(name)?.value ?? derived.get(name);
    return typeof value === 'bigint' ? Number(value) : value;
  };
  return read(OF_GGUF, 'general.architecture', at, what);
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Values)[name] ?? undefined;
}

function read(
  kinds: ReadonlyMap<string, Kind>,
  kindName: string,
  at: (name: string) => unknown,
  what: string,
): ModelConfig {
  const kind = kinds.get(String(at(kindName)));
  if (kind === undefined) {
    throw refusal(what, [{ path: place(kindName), message: `it must be one of ${[...kinds.keys()].join(', ')}` }]);
  }
  const values: Record<string, unknown> = { family: kind.family };
  const names: Record<string, string> = {};
  for (const [member, { names: known, otherwise }] of Object.entries<Member>(kind.members)) {
    const name = known.find((candidate) => at(candidate) !== undefined);
    values[member] = name === undefined ? otherwise?.(values) : at(name);
    names[member] = name ?? known[0]!;
  }
  const parsed = (kind.family === 'encoder' ? encoder : decoder).safeParse(values);
  const problems: Problem[] = [];
  for (const { path, message } of parsed.error?.issues ?? []) {
    const member = String(path[0]) as keyof typeof kind.members;
    const missing = values[member] === undefined;
    // What cannot be made of other members has its problem there.
    if (missing && (kind.members[member] as Member).otherwise !== undefined) continue;
    problems.push({ path: place(names[member]!), message: missing ? 'it is missing' : message });
  }
  problems.push(...divisions(values, names));
  for (const [name, allowed] of Object.entries(kind.only)) {
    const value = at(name);
    if (value !== undefined && !allowed.includes(value)) {
      problems.push({ path: place(name), message: `only ${allowed.map(String).join(', ') || 'null'} is supported` });
    }
  }
  for (const [name, member] of Object.entries(kind.same ?? {})) {
    const [value, expected] = [at(name), values[member]];
    if (value !== undefined && expected !== undefined && value !== expected) {
      problems.push({ path: place(name), message: `only ${String(expected)} is supported` });
    }
  }
  if (problems.length > 0 || !parsed.success) throw refusal(what, problems);
  return parsed.data;
}

/** Which numbers of heads do not divide what is theirs. */
function divisions(values: Values, names: Readonly<Record<string, string>>): Problem[] {
  const divide = (part: string, whole: string): Problem[] => {
    const [divisor, number] = [values[part], values[whole]];
    if (!Number.isInteger(divisor) || !Number.isInteger(number) || Number(number) % Number(divisor) === 0) return [];
    return [{ path: place(names[part]!), message: `${divisor} does not divide ${names[whole]}, which is ${number}` }];
  };
  if (values.family === 'encoder') return divide('heads', 'hidden');
  return [...(values.headSize === undefined ? divide('heads', 'hidden') : []), ...divide('keyHeads', 'heads')];
}

/**
 * Is everything there that an architecture needs, in the right shape?
 * @throws `CHIMERA_INVALID_INPUT` that names every tensor that is missing or has another shape
 */
export function checkWeights(config: ModelConfig, weights: Weights): void {
  const problems: Problem[] = [];
  for (const [name, shape, optional] of neededTensors(config)) {
    if (!weights.has(name)) {
      if (!optional) problems.push({ path: place(name), message: 'it is missing' });
      continue;
    }
    const actual = weights.shape(name);
    if (actual.length !== shape.length || actual.some((side, i) => side !== shape[i])) {
      problems.push({ path: place(name), message: `its shape is [${actual.join(', ')}], not [${shape.join(', ')}]` });
    }
  }
  if (problems.length > 0) throw refusal('the model', problems);
}

type Needed = readonly [name: string, shape: readonly number[], optional?: boolean];

function neededTensors(config: ModelConfig): Needed[] {
  const { hidden, layers, vocabulary } = config;
  const linear = linearModules(config).flatMap((module): Needed[] => {
    const { outputs, inputs } = linearShape(config, module);
    return [
      [`${module}.weight`, [outputs, inputs]],
      [`${module}.bias`, [outputs], config.family === 'decoder'],
    ];
  });
  const ofLayers = (names: readonly string[]): Needed[] =>
    Array.from({ length: layers }, (_, layer) =>
      names.map((name): Needed => [name.replace('#', `${layer}`), [hidden]]),
    ).flat();
  if (config.family === 'encoder') {
    const norms = ['attention.output.LayerNorm', 'output.LayerNorm'].map((name) => `encoder.layer.#.${name}`);
    return [
      ['embeddings.word_embeddings.weight', [vocabulary, hidden]],
      ['embeddings.position_embeddings.weight', [config.positions, hidden]],
      ['embeddings.token_type_embeddings.weight', [config.tokenTypes, hidden]],
      ['embeddings.LayerNorm.weight', [hidden]],
      ['embeddings.LayerNorm.bias', [hidden]],
      ...linear,
      ...ofLayers(norms.flatMap((norm) => [`${norm}.weight`, `${norm}.bias`])),
    ];
  }
  return [
    ['model.embed_tokens.weight', [vocabulary, hidden]],
    ['model.norm.weight', [hidden]],
    ...(config.tiedEmbeddings ? [] : [['lm_head.weight', [vocabulary, hidden]] as const]),
    ...linear,
    ...ofLayers(['input_layernorm', 'post_attention_layernorm'].map((name) => `model.layers.#.${name}.weight`)),
  ];
}
