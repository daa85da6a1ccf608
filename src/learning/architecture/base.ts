import { createHash } from 'node:crypto';
import { canonicalJson } from '../../core/canonical/canonical.ts';
import { DataType, type ExternalData, type Initializer } from '../onnx/types.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import type { Blocks4Tensors } from '../graph/ops/matmul.ts';
import { piecesOf } from '../weights/bytes.ts';
import { quantizeBlocks4 } from '../weights/quantize.ts';
import type { Blocks4, Weights } from '../weights/types.ts';
import type { ModelConfig } from './config.ts';

/** How the large matrices of a base model lie in memory. */
export type Precision = 'fp32' | '4bit';

export interface StoredTensor extends Omit<Initializer, 'name' | 'data'> {
  readonly data: Uint8Array | ExternalData;
}

/** A frozen base model, laid out as graphs read it. */
export interface BaseModel {
  readonly name: string;
  readonly config: ModelConfig;
  readonly precision: Precision;
  /** SHA-256 over its configuration and names, shapes and bytes of its tensors: what it computes is a function of it. */
  readonly sha256: string;
  /** Where graphs that refer to its files must lie; absent where it is held in memory. */
  readonly directory?: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Matrices smaller than this stay in single precision: they are the heads of tiny models. */
const BLOCK = 32;

/** Layers that read the same input: their matrices are read as one, one product instead of several. */
const TOGETHER = [
  ['query', 'key', 'value'],
  ['q_proj', 'k_proj', 'v_proj'],
  ['gate_proj', 'up_proj'],
];

/**
 * The tensors of a model as graphs read them, in groups: those of a group lie one after another, with nothing between, so that graphs
 * can read them as one (see {@link stacked}). Names are those of its checkpoint.
 */
export function* layOut(weights: Weights, config: ModelConfig, precision: Precision): Generator<Initializer[]> {
  const packed = precision === '4bit' ? new Set(linearModules(config)) : new Set<string>();
  const left = new Set(weights.names);
  for (const first of weights.names) {
    if (!left.has(first)) continue;
    const group = beside(first).filter((name) => left.delete(name));
    const modules = group.map((name) => name.replace(/\.weight$/, ''));
    if (packed.has(modules[0]!)) {
      const blocks = group.map((name) => {
        const [rows, columns] = weights.shape(name) as [number, number];
        return weights.blocks4(name) ?? quantizeBlocks4(weights.f32(name), rows, columns, BLOCK);
      });
      const parts = modules.map((module, i) => blocksOf(module, blocks[i]!));
      yield* parts[0]!.map((_, part) => parts.map((tensors) => tensors[part]!));
    } else {
      yield group.map((name) => ({
        ...{ name, type: DataType.FLOAT, shape: weights.shape(name) },
        data: bytesOf(weights.f32(name)),
      }));
    }
  }
  if (config.family === 'decoder') for (const tensor of headOf(weights, config.tiedEmbeddings)) yield [tensor];
}

/** A tensor and the same of the layers that read what its layer reads. */
function beside(name: string): string[] {
  const [, before, layer, after] = /^(.*\.)(\w+)(\.\w+)$/.exec(name) ?? [];
  const layers = TOGETHER.find((group) => group.includes(layer ?? ''));
  return layers?.map((one) => `${before}${one}${after}`) ?? [name];
}

function blocksOf(module: string, { rows, columns, blockSize, codes, scales, minima }: Blocks4): Initializer[] {
  const blocks = columns / blockSize;
  const corrections = minima.map((minimum, at) => minimum + 8 * scales[at]!);
  const { FLOAT, UINT8 } = DataType;
  return [
    { name: `${module}.codes`, type: UINT8, shape: [rows, blocks, blockSize / 2], data: codes },
    { name: `${module}.scales`, type: FLOAT, shape: [rows, blocks], data: bytesOf(scales) },
    { name: `${module}.minima`, type: FLOAT, shape: [rows, blocks, 1], data: bytesOf(minima) },
    { name: `${module}.corrections`, type: FLOAT, shape: [rows, blocks], data: bytesOf(corrections) },
  ];
}

/**
 * Of a decoder whose output layer lies in 8-bit blocks, those blocks too: what generates tokens reads a quarter of the bytes. Each
 * code is cut into its halves, code + 128 = 16 · high + low, since the runtime's kernel for 4 bits is fast where the one for 8 is not:
 * code = 16 (high − 8) + low, exactly.
 */
function* headOf(weights: Weights, tied: boolean): Generator<Initializer> {
  const head = weights.blocks8(tied ? 'model.embed_tokens.weight' : 'lm_head.weight');
  if (head === undefined) return;
  const { rows, columns, blockSize, codes, scales } = head;
  const blocks = columns / blockSize;
  const high = new Uint8Array(codes.length / 2);
  const low = new Uint8Array(codes.length / 2);
  for (let i = 0; i < high.length; i++) {
    const [first, second] = [codes[2 * i]! + 128, codes[2 * i + 1]! + 128];
    high[i] = (first >> 4) | (second & 0xf0);
    low[i] = (first & 0x0f) | ((second & 0x0f) << 4);
  }
  const { FLOAT, UINT8 } = DataType;
  const shape = [rows, blocks, blockSize / 2];
  yield { name: 'head.high.codes', type: UINT8, shape, data: high };
  yield { name: 'head.high.scales', type: FLOAT, shape: [rows, blocks], data: bytesOf(scales.map((one) => 16 * one)) };
  yield { name: 'head.low.codes', type: UINT8, shape, data: low };
  yield { name: 'head.low.scales', type: FLOAT, shape: [rows, blocks], data: bytesOf(scales) };
  const zeros = [rows, Math.ceil(blocks / 2)] as const;
  yield { name: 'head.low.zeros', type: UINT8, shape: zeros, data: new Uint8Array(zeros[0] * zeros[1]) };
}

/** The linear layers that an adapter can update, and that lie in blocks at `4bit`, in the order of the model. */
export function linearModules(config: ModelConfig): string[] {
  const parts =
    config.family === 'encoder'
      ? ['attention.self.query', 'attention.self.key', 'attention.self.value', 'attention.output.dense'].concat(
          'intermediate.dense',
          'output.dense',
        )
      : ['q_proj', 'k_proj', 'v_proj', 'o_proj']
          .map((name) => `self_attn.${name}`)
          .concat(['gate_proj', 'up_proj', 'down_proj'].map((name) => `mlp.${name}`));
  const prefix = config.family === 'encoder' ? 'encoder.layer' : 'model.layers';
  return Array.from({ length: config.layers }, (_, layer) => parts.map((part) => `${prefix}.${layer}.${part}`)).flat();
}

/** Outputs and inputs of a linear layer. */
export function linearShape(config: ModelConfig, module: string): { outputs: number; inputs: number } {
  const { hidden, intermediate } = config;
  const keys = config.family === 'decoder' ? config.keyHeads * config.headSize : hidden;
  const queries = config.family === 'decoder' ? config.heads * config.headSize : hidden;
  const last = module.slice(module.lastIndexOf('.') + 1);
  const shapes: Record<string, [outputs: number, inputs: number]> = {
    q_proj: [queries, hidden],
    k_proj: [keys, hidden],
    v_proj: [keys, hidden],
    o_proj: [hidden, queries],
    gate_proj: [intermediate, hidden],
    up_proj: [intermediate, hidden],
    down_proj: [hidden, intermediate],
    query: [hidden, hidden],
    key: [hidden, hidden],
    value: [hidden, hidden],
  };
  const dense: [number, number] = module.includes('attention')
    ? [hidden, hidden]
    : module.includes('intermediate')
      ? [intermediate, hidden]
      : [hidden, intermediate];
  const [outputs, inputs] = shapes[last] ?? dense;
  return { outputs, inputs };
}

/** A base model in memory: for small ones. */
export function baseInMemory(name: string, weights: Weights, config: ModelConfig, precision: Precision): BaseModel {
  const tensors = new Map<string, StoredTensor>();
  const identity = createIdentity(config);
  for (const tensor of [...layOut(weights, config, precision)].flat()) {
    const { name: key, ...stored } = tensor;
    identity.add(tensor, stored.data as Uint8Array);
    tensors.set(key, stored);
  }
  return { name, config, precision, sha256: identity.digest(), tensors };
}

/** The name of what a base computes: the same tensors with another number of heads, say, compute something else. */
export function createIdentity(config: ModelConfig): {
  add(tensor: Omit<Initializer, 'data'>, bytes: Uint8Array): void;
  digest(): string;
} {
  const hash = createHash('sha256').update(canonicalJson(config));
  return {
    add({ name, type, shape }, bytes) {
      hash.update(JSON.stringify([name, type, shape]));
      for (const piece of piecesOf(bytes)) hash.update(piece);
    },
    digest: () => hash.digest('hex'),
  };
}

/** A tensor of the base as a constant of a graph. @throws RangeError where the base has none of this name */
export const weight = (graph: Graph, base: BaseModel, name: string): Tensor => stacked(graph, base, [name]);

/** Tensors of one group as one constant: the rows of each below those of the one before. See {@link layOut}. */
export function stacked(graph: Graph, base: BaseModel, names: readonly string[]): Tensor {
  const { type, shape, data } = together(base, names);
  return graph.initializer(names.join('+'), type, shape, data);
}

function together(base: BaseModel, names: readonly string[]): StoredTensor {
  const parts = names.map((name) => {
    const stored = base.tensors.get(name);
    if (stored === undefined) throw new RangeError(`the base model ${base.name} has no tensor ${name}`);
    return stored;
  });
  const [first] = parts as [StoredTensor];
  if (parts.length === 1) return first;
  const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  return { type: first.type, shape: [rows, ...first.shape.slice(1)], data: joined(parts.map(({ data }) => data)) };
}

function joined(parts: readonly (Uint8Array | ExternalData)[]): Uint8Array | ExternalData {
  const [first] = parts;
  if (first !== undefined && 'location' in first) {
    return { ...first, length: parts.reduce((sum, { length }) => sum + length, 0) };
  }
  return Buffer.concat(parts as Uint8Array[]);
}

/** The matrices of linear layers of one group in blocks, as one; undefined where they lie in single precision. */
export function blocks(graph: Graph, base: BaseModel, modules: readonly string[]): Blocks4Tensors | undefined {
  if (!base.tensors.has(`${modules[0]}.codes`)) return undefined;
  const named = (part: string): string[] => modules.map((module) => `${module}.${part}`);
  const constant = (part: string): Tensor => stacked(graph, base, named(part));
  const packed = constant('codes');
  const [rows, count, half] = packed.shape as [number, number, number];
  const flat = graph.provider === 'cpu';
  const outer = flat ? [rows * count] : [rows, count];
  const again = (part: string, type: DataType, inner: readonly number[]): Tensor =>
    graph.initializer(
      `${named(part).join('+')}/unpacking`,
      type,
      [...outer, ...inner],
      together(base, named(part)).data,
    );
  return {
    ...{ rows, columns: count * half * 2, blockSize: half * 2, packed },
    scales: constant('scales'),
    corrections: constant('corrections'),
    unpacking: {
      codes: again('codes', DataType.UINT4, [half * 2]),
      scales: again('scales', DataType.FLOAT, flat ? [] : [1]),
      minima: again('minima', DataType.FLOAT, [1]),
    },
  };
}

const bytesOf = (array: Float32Array): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
