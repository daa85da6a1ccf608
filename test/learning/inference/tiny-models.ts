import { hashOf } from '../../../src/core/canonical/canonical.ts';
import { philoxBytes, stream } from '../../../src/core/random/random.ts';
import { ChimeraError } from '../../../src/contracts/errors.ts';
import type { Adapter } from '../../../src/learning/adapters/types.ts';
import { baseInMemory, linearShape, type BaseModel, type Precision } from '../../../src/learning/architecture/base.ts';
import { decode, outputHead } from '../../../src/learning/architecture/decoder.ts';
import type { LowRank } from '../../../src/learning/architecture/linear.ts';
import type { LocalBase } from '../../../src/learning/bases.ts';
import { Graph } from '../../../src/learning/graph/graph.ts';
import { matmul } from '../../../src/learning/graph/ops/matmul.ts';
import { reshape } from '../../../src/learning/graph/ops/shape.ts';
import { openEngine, type EngineOptions } from '../../../src/learning/inference/engine.ts';
import type { GenerationRequest, InferenceService } from '../../../src/learning/inference/types.ts';
import { scalingOf } from '../../../src/learning/adapters/types.ts';
import { layoutOf, toAdapter, toVector } from '../../../src/learning/training/trainables.ts';
import { trainingGraph } from '../../../src/learning/training/graphs.ts';
import { adapterSpec, type AdapterSpec } from '../../../src/contracts/adapters.ts';
import { DataType } from '../../../src/learning/onnx/types.ts';
import { indices, openSession, tensor } from '../../../src/learning/runtime/session.ts';
import { byteCharacters } from '../../../src/learning/tokenizer/decoder.ts';
import { tokenizerOfHub } from '../../../src/learning/tokenizer/hub.ts';
import type { Weights } from '../../../src/learning/weights/types.ts';
import { TINY_DECODER, TINY_ENCODER, tinyWeights } from '../tiny.ts';

const SPECIAL = ['[PAD]', '[CLS]', '[SEP]', '<|im_start|>', '<|im_end|>'];
const vocab = Object.fromEntries([...SPECIAL, ...byteCharacters()].map((token, number) => [token, number]));

/** A `tokenizer.json` whose tokens are bytes. */
export const tokenizerJson = (family: 'encoder' | 'decoder'): object => ({
  added_tokens: SPECIAL.map((content, id) => ({ id, content, special: true })),
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false },
  post_processor:
    family === 'decoder'
      ? null
      : {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: '[CLS]' } }, { Sequence: { id: 'A' } }, { SpecialToken: { id: '[SEP]' } }],
        },
  decoder: { type: 'ByteLevel' },
  model: { type: 'BPE', vocab, merges: [] },
});

export const tokenizerConfig = {
  eos_token: '<|im_end|>',
  chat_template:
    '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{{ "<|im_start|>assistant\n" }}',
};

const local = (name: string, family: 'encoder' | 'decoder', precision: Precision): LocalBase => {
  const config = family === 'encoder' ? TINY_ENCODER : TINY_DECODER;
  return {
    base: baseInMemory(name, tinyWeights(config), config, precision),
    tokenizer: tokenizerOfHub(tokenizerJson(family), family === 'decoder' ? tokenizerConfig : undefined, name),
  };
};

export const ENCODER = local('encoder', 'encoder', 'fp32');
export const DECODER = local('decoder', 'decoder', 'fp32');
export const DECODER_4BIT = local('decoder-4bit', 'decoder', '4bit');

/** Its output layer lies in 8-bit blocks, of all 256 codes. */
export const DECODER_8BIT_HEAD: LocalBase = {
  base: baseInMemory('decoder-8bit-head', withBlocks8(tinyWeights(TINY_DECODER)), TINY_DECODER, '4bit'),
  tokenizer: DECODER.tokenizer,
};

function withBlocks8(weights: Weights): Weights {
  const head = 'model.embed_tokens.weight';
  const [rows, columns] = weights.shape(head) as [number, number];
  const codes = new Int8Array(philoxBytes('head', 0, 0, 'tiny head', rows * columns).buffer);
  const scales = Float32Array.from({ length: (rows * columns) / 32 }, (_, i) => 0.002 + (i % 7) * 0.0005);
  const blocks = { rows, columns, blockSize: 32, codes, scales };
  return {
    ...weights,
    f32: (name) => (name === head ? Float32Array.from(codes, (code, i) => code * scales[i >> 5]!) : weights.f32(name)),
    blocks8: (name) => (name === head ? blocks : undefined),
  };
}

/** An adapter of seeded values that changes what its base says. */
export function seededAdapter(
  base: BaseModel,
  seed: string,
  { targets = ['query', 'value'], rank = 3, labels = ['a', 'b'], alpha = 6 } = {},
): { adapter: Adapter; spec: AdapterSpec; name: string } {
  const encoder = base.config.family === 'encoder';
  const spec = adapterSpec.parse({
    ...{ kind: 'adapter', name: 'tiny', base: base.name, task: encoder ? 'classification' : 'causal' },
    ...{ precision: base.precision, targets, rank, alpha, learningRate: 0.1 },
  });
  const layout = layoutOf(base.config, spec, encoder ? labels.length : 0);
  const draws = stream(seed, 0, 0, 'tiny adapter');
  const values = Float32Array.from({ length: layout.size }, () => 0.4 * (2 * draws.uniform() - 1));
  const adapter = toAdapter(base, spec, layout, values, encoder ? labels : []);
  return { adapter, spec, name: hashOf({ seed, targets, rank, base: base.sha256 }) };
}

/** An engine over the tiny models, with some options of its own. */
export function tinyEngine(
  adapters: readonly { readonly name: string; readonly adapter: Adapter }[] = [],
  options: Partial<EngineOptions> = {},
): InferenceService {
  return openEngine({
    openBase: async (name) => {
      const found = [ENCODER, DECODER, DECODER_4BIT, DECODER_8BIT_HEAD].find(({ base }) => base.name === name);
      if (found === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'model', name });
      return found;
    },
    loadAdapter: async (sha256) => {
      const found = adapters.find(({ name }) => name === sha256);
      if (found === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'adapter', name: sha256 });
      return found.adapter;
    },
    ...{ memoryBytes: 1e9, threads: 1, provider: 'cpu', activations: 'exact' },
    ...{ adapterBytes: 1e9, keyBytes: 1e9 },
    ...{ windowMs: 0, batchTexts: 32, batchTokens: 4096, cacheBytes: 0 },
    ...options,
  });
}

export const generation = (over: Partial<GenerationRequest> = {}): GenerationRequest => ({
  ...{ model: { base: 'decoder' }, prompt: 'Once upon', maxTokens: 12, temperature: 0, topP: 1, stop: [], seed: 's' },
  ...over,
});

/** Logits of a text by the graph that training evaluates with. */
export async function trainingLogits(
  { base, tokenizer }: LocalBase,
  { adapter, spec }: { adapter: Adapter; spec: AdapterSpec },
  text: string,
): Promise<Float32Array> {
  const labels = adapter.head!.labels.length;
  const layout = layoutOf(base.config, spec, labels);
  const tokens = tokenizer.encode(text, { wrap: true });
  const bucket = { batch: 1, length: tokens.length, predicted: 0 };
  const session = await openSession(trainingGraph({ base, spec, layout, labels, bucket, training: false }));
  const outputs = await session.run({
    parameters: tensor(toVector(adapter, layout), [layout.size]),
    tokens: indices(tokens, [1, tokens.length]),
    mask: tensor(new Float32Array(tokens.length).fill(1), [1, tokens.length]),
    labels: indices([0], [1]),
    weights: tensor(Float32Array.of(1), [1]),
  });
  await session.release();
  return outputs['logits']!.data as Float32Array;
}

/** Logits after each token of a text by the graph that training differentiates, which keeps no keys: [tokens][vocabulary]. */
export async function withoutCache({ base }: LocalBase, adapter?: Adapter): Promise<TokenLogits> {
  const graph = new Graph();
  const length = base.config.positions;
  const [tokens, positions, segments] = ['tokens', 'positions', 'segments'].map((name) =>
    graph.input(name, DataType.INT64, [1, length]),
  ) as [never, never, never];
  const constant = (name: string, shape: number[], data: Float32Array) =>
    graph.initializer(name, DataType.FLOAT, shape, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const updates = new Map(
    (adapter?.targets ?? []).map(({ module, a, b }): [string, LowRank] => {
      const { inputs, outputs } = linearShape(base.config, module);
      const { rank } = adapter!;
      return [
        module,
        {
          a: constant(`${module}.a`, [rank, inputs], a),
          b: constant(`${module}.b`, [outputs, rank], b),
          scaling: scalingOf(adapter!),
        },
      ];
    }),
  );
  const states = decode(graph, base, { tokens, positions, segments }, updates);
  const rows = reshape(graph, states, [length, base.config.hidden]);
  graph.output('logits', matmul(graph, rows, outputHead(graph, base), { b: true }));
  const session = await openSession(graph.toModel());
  return {
    release: () => session.release(),
    async logits(text) {
      const { logits } = await session.run({
        tokens: indices([...text, ...new Array<number>(length - text.length).fill(0)], [1, length]),
        positions: indices(
          Array.from({ length }, (_, i) => i),
          [1, length],
        ),
        segments: indices(new Array<number>(length).fill(0), [1, length]),
      });
      const { vocabulary } = base.config;
      return text.map((_, i) => (logits!.data as Float32Array).subarray(i * vocabulary, (i + 1) * vocabulary));
    },
  };
}

export interface TokenLogits {
  logits(text: readonly number[]): Promise<Float32Array[]>;
  release(): Promise<void>;
}

/** The likeliest tokens, the whole text anew for each. */
export async function greedyTokens(
  local: LocalBase,
  prompt: string,
  count: number,
  adapter?: Adapter,
): Promise<number[]> {
  const model = await withoutCache(local, adapter);
  const text = local.tokenizer.encode(prompt);
  const drawn: number[] = [];
  while (drawn.length < count) {
    const last = (await model.logits([...text, ...drawn])).at(-1)!;
    drawn.push(last.indexOf(Math.max(...last)));
  }
  await model.release();
  return drawn;
}
