import { float, type Graph, type Tensor } from '../graph.ts';
import { multiply, subtract } from './arithmetic.ts';
import { rowMean, sumTo } from './reduce.ts';

/** Layer normalisation over the last axis (Ba, Kiros and Hinton 2016). In single precision. */
export function layerNorm(graph: Graph, x: Tensor, gain: Tensor, bias: Tensor, epsilon: number): Tensor {
  const rows = [...x.shape.slice(0, -1), 1];
  const [y, mean, inverse] = graph.nodes(
    'LayerNormalization',
    [x, gain, bias],
    [{ shape: x.shape }, { shape: rows }, { shape: rows }],
    { attributes: { axis: -1, epsilon: float(epsilon) } },
  ) as [Tensor, Tensor, Tensor];
  graph.record([y], ([dy]) => {
    const normal = multiply(graph, subtract(graph, x, mean), inverse);
    if (gain.differentiable) graph.accumulate(gain, sumTo(graph, multiply(graph, dy!, normal), gain.shape));
    if (bias.differentiable) graph.accumulate(bias, sumTo(graph, dy!, bias.shape));
    if (!x.differentiable) return;
    const scaled = multiply(graph, dy!, gain);
    const along = multiply(graph, normal, rowMean(graph, multiply(graph, scaled, normal)));
    const rest = subtract(graph, subtract(graph, scaled, rowMean(graph, scaled)), along);
    graph.accumulate(x, multiply(graph, inverse, rest));
  });
  return y;
}

/** y and 1 / root mean square. */
type Normalised = readonly [y: Tensor, inverse: Tensor];

const rmsKernel = (graph: Graph, x: Tensor, gain: Tensor, epsilon: number): Normalised =>
  graph.nodes(
    'SimplifiedLayerNormalization',
    [x, gain],
    [{ shape: x.shape }, { shape: [...x.shape.slice(0, -1), 1] }],
    { attributes: { axis: -1, epsilon: float(epsilon), stash_type: 1 } },
  ) as [Tensor, Tensor];

/** Step by step: the kernel that WebGPU has leaves its second output as it was, without an error. */
function rmsSteps(graph: Graph, x: Tensor, gain: Tensor, epsilon: number): Normalised {
  const mean = rowMean(graph, graph.node('Mul', [x, x], x.shape));
  const root = graph.node('Sqrt', [graph.node('Add', [mean, graph.scalar(epsilon)], mean.shape)], mean.shape);
  const inverse = graph.node('Div', [graph.scalar(1), root], mean.shape);
  const normal = graph.node('Mul', [x, inverse], x.shape);
  return [graph.node('Mul', [normal, gain], x.shape), inverse];
}

/** Root-mean-square normalisation over the last axis (Zhang and Sennrich 2019). In single precision. */
export function rmsNorm(graph: Graph, x: Tensor, gain: Tensor, epsilon: number): Tensor {
  const [y, inverse] =
    graph.provider === 'webgpu' ? rmsSteps(graph, x, gain, epsilon) : rmsKernel(graph, x, gain, epsilon);
  graph.record([y], ([dy]) => {
    const normal = multiply(graph, x, inverse);
    if (gain.differentiable) graph.accumulate(gain, sumTo(graph, multiply(graph, dy!, normal), gain.shape));
    if (!x.differentiable) return;
    const scaled = multiply(graph, dy!, gain);
    const along = multiply(graph, normal, rowMean(graph, multiply(graph, scaled, normal)));
    graph.accumulate(x, multiply(graph, inverse, subtract(graph, scaled, along)));
  });
  return y;
}
