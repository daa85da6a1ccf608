import { adapterSpec, type AdapterSpec } from '../../../src/contracts/adapters.ts';
import { servingDecoder } from '../../../src/learning/architecture/decoder-serving.ts';
import { servingEncoder } from '../../../src/learning/architecture/encoder-serving.ts';
import type { GraphModel } from '../../../src/learning/onnx/types.ts';
import type { Provider } from '../../../src/learning/runtime/provider.ts';
import { trainingGraph } from '../../../src/learning/training/graphs.ts';
import { layoutOf } from '../../../src/learning/training/trainables.ts';
import { baseOf } from '../training/samples.ts';

/** What a provider does with an operator: all of it, what is not of 64-bit integers, or nothing. */
type Kernels = 'all' | 'no int64' | 'none';

/**
 * The kernels of onnxruntime for the operators of our graphs, in single precision. What a provider has none for its partitioner
 * leaves to the processor, with copies there and back.
 * CUDA: docs/OperatorKernels.md of the runtime's repository, at commit 001d12d, read and not run. WebGPU: where its partitioner placed each node of the graphs below on a software
 * device, SwiftShader, by onnxruntime-node 1.30.0.
 */
export const KERNELS: Readonly<Record<string, readonly [cuda: Kernels, webgpu: Kernels]>> = {
  ...each(
    ['Add', 'Sub', 'Mul', 'Div', 'Neg', 'Exp', 'Log', 'Sqrt', 'Erf', 'Sigmoid', 'Softplus', 'Cast'],
    'all',
    'all',
  ),
  ...each(['MatMul', 'Gemm', 'Softmax', 'LayerNormalization', 'ReduceSum', 'ReduceMean', 'ReduceMax'], 'all', 'all'),
  ...each(['Transpose', 'Slice', 'Split', 'Pad', 'Concat', 'Expand', 'ConstantOfShape', 'Identity'], 'all', 'all'),
  // Their indices may be 64-bit integers.
  ...each(['Gather', 'GatherElements', 'ScatterND', 'DequantizeLinear'], 'all', 'all'),
  ...each(['com.microsoft.Gelu', 'com.microsoft.MatMulNBits'], 'all', 'all'),
  ...each(['Reshape', 'Unsqueeze', 'Equal'], 'all', 'no int64'),
  ...each(['OneHot', 'LogSoftmax', 'com.microsoft.FusedMatMul', 'Shape', 'Range'], 'all', 'none'),
  // WebGPU has one that leaves its second output, which gradients need, as it was: graphs that train there do without.
  ...each(['SimplifiedLayerNormalization'], 'all', 'all'),
  // On WebGPU by the list in the runtime's source, not placed there yet.
  ...each(['com.microsoft.SkipSimplifiedLayerNormalization'], 'all', 'all'),
  // CUDA has it in half precision only.
  ...each(['com.microsoft.GroupQueryAttention'], 'none', 'all'),
};

function each(
  operators: readonly string[],
  cuda: Kernels,
  webgpu: Kernels,
): Record<string, readonly [cuda: Kernels, webgpu: Kernels]> {
  return Object.fromEntries(operators.map((operator) => [operator, [cuda, webgpu]]));
}

/** A graph that trains beside a tiny base, every layer that can be adapted with an update, as it is written for a provider. */
export function tinyTraining(
  task: AdapterSpec['task'],
  precision: AdapterSpec['precision'],
  provider: Provider,
): GraphModel {
  const encoder = task === 'classification';
  const targets = encoder ? ['query', 'output.dense'] : ['q_proj', 'k_proj', 'v_proj', 'down_proj'];
  const spec = adapterSpec.parse({
    ...{ kind: 'adapter', name: 'tiny', base: 'tiny', precision, task, rank: 2, targets },
    ...{ dropout: 0.25, learningRate: 0.01 },
  });
  const base = baseOf(task, precision);
  const labels = encoder ? 2 : 0;
  const layout = layoutOf(base.config, spec, labels);
  // More tokens are predicted than one chunk of the loss has.
  const bucket = { batch: 2, length: 80, predicted: 100 };
  return trainingGraph({ base, spec, layout, labels, bucket, training: true, provider });
}

export function tinyServing(family: 'encoder' | 'decoder', precision: AdapterSpec['precision']): GraphModel {
  const base = baseOf(family === 'encoder' ? 'classification' : 'causal', precision);
  return family === 'encoder' ? servingEncoder(base) : servingDecoder(base, undefined, {}).model;
}

/** `com.microsoft.` before the runtime's own. */
export const operatorsOf = ({ nodes }: GraphModel): string[] => [
  ...new Set(nodes.map(({ domain, operator }) => (domain === '' ? operator : `${domain}.${operator}`))),
];
