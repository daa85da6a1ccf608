import { createHash } from 'node:crypto';
import { DataType, type ExternalData, type Initializer } from '../onnx/types.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import type { Blocks4Tensors } from '../graph/ops/matmul.ts';
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
  /** SHA-256 over names, shapes and bytes of its tensors: what it computes is a function of it. */
  readonly sha256: string;
  /** Where graphs that refer to its files must lie; absent where it is held in memory. */
  readonly directory?: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Matrices smaller than this stay in single precision: they are the heads of tiny models. */
const BLOCK = 32;

/** The tensors of a model, one after another, as graphs read them. Names are those of its checkpoint. */
export function* layOut(weights: Weights, config: ModelConfig, precision: Precision): Generator<Initializer> {
  const packed = precision === '4bit' ? new Set(linearModules(config)) : new Set<string>();
  for (const name of weights.names) {
    const module = name.replace(/\.weight$/, '');
    if (!packed.has(module)) {
      yield { name, type: DataType.FLOAT, shape: weights.shape(name), data: bytesOf(weights.f32(name)) };
      continue;
    }
    const [rows, columns] = weights.shape(name) as [number, number];
    yield* blocksOf(module, weights.blocks4(name) ?? quantizeBlocks4(weights.f32(name), rows, columns, BLOCK));
  }
  if (config.family === 'decoder') yield* headOf(weights, config.tiedEmbeddings);
}

function* blocksOf(
  module: string,
  { rows, columns, blockSize, codes, scales, minima }: Blocks4,
): Generator<Initializer> {
  const blocks = columns / blockSize;
  const corrections = new Float32Array(blocks * rows);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const at = row * blocks + block;
      corrections[block * rows + row] = minima[at]! + 8 * scales[at]!;
    }
  }
  const { FLOAT, UINT8 } = DataType;
  yield { name: `${module}.codes`, type: UINT8, shape: [rows, blocks, blockSize / 2], data: codes };
  yield { name: `${module}.scales`, type: FLOAT, shape: [rows, blocks], data: bytesOf(scales) };
  yield { name: `${module}.minima`, type: FLOAT, shape: [rows, blocks, 1], data: bytesOf(minima) };
  yield { name: `${module}.corrections`, type: FLOAT, shape: [blocks, rows], data: bytesOf(corrections) };
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
  const identity = createIdentity();
  for (const tensor of layOut(weights, config, precision)) {
    const { name: key, ...stored } = tensor;
    identity.add(tensor, stored.data as Uint8Array);
    tensors.set(key, stored);
  }
  return { name, config, precision, sha256: identity.digest(), tensors };
}

/** The name of what a base computes. */
export function createIdentity(): {
  add(tensor: Omit<Initializer, 'data'>, bytes: Uint8Array): void;
  digest(): string;
} {
  const hash = createHash('sha256');
  return {
    add({ name, type, shape }, bytes) {
      hash.update(JSON.stringify([name, type, shape])).update(bytes);
    },
    digest: () => hash.digest('hex'),
  };
}

/** A tensor of the base as a constant of a graph. @throws RangeError where the base has none of this name */
export function weight(graph: Graph, base: BaseModel, name: string): Tensor {
  const stored = base.tensors.get(name);
  if (stored === undefined) throw new RangeError(`the base model ${base.name} has no tensor ${name}`);
  return graph.initializer(name, stored.type, stored.shape, stored.data);
}

/** A linear layer's matrix in blocks; undefined where it lies in single precision. */
export function blocks(graph: Graph, base: BaseModel, module: string): Blocks4Tensors | undefined {
  const stored = base.tensors.get(`${module}.codes`);
  if (stored === undefined) return undefined;
  const [rows, count, half] = stored.shape as [number, number, number];
  const minima = base.tensors.get(`${module}.minima`)!;
  const scales = base.tensors.get(`${module}.scales`)!;
  return {
    ...{ rows, columns: count * half * 2, blockSize: half * 2 },
    packed: weight(graph, base, `${module}.codes`),
    codes: graph.initializer(`${module}.codes/uint4`, DataType.UINT4, [rows, count, half * 2], stored.data),
    scales: weight(graph, base, `${module}.scales`),
    columnScales: graph.initializer(`${module}.scales/column`, scales.type, minima.shape, scales.data),
    columnMinima: weight(graph, base, `${module}.minima`),
    corrections: weight(graph, base, `${module}.corrections`),
  };
}

const bytesOf = (array: Float32Array): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
