import type { Shape } from '../../onnx/types.ts';
import type { Graph, Tensor } from '../graph.ts';
import { sameShape, staticShape } from '../shapes.ts';
import { reshape } from './shape.ts';

/** Sums over `axes`; they stay as dimensions of one unless `keep` is false. */
export function sum(graph: Graph, a: Tensor, axes: readonly number[], { keep = true } = {}): Tensor {
  const kept = a.shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension));
  const shape = keep ? kept : a.shape.filter((_, axis) => !axes.includes(axis));
  const y = graph.node('ReduceSum', [a, graph.integers(axes)], shape, { attributes: { keepdims: keep ? 1 : 0 } });
  graph.record([y], ([dy]) => graph.accumulate(a, expand(graph, reshape(graph, dy!, kept), a.shape)));
  return y;
}

/** Sums a tensor down to a shape that broadcasts to its own: the gradient of broadcasting. */
export function sumTo(graph: Graph, a: Tensor, shape: Shape): Tensor {
  if (sameShape(a.shape, shape)) return a;
  const offset = a.shape.length - shape.length;
  const axes = a.shape.flatMap((dimension, axis) =>
    axis < offset || (shape[axis - offset] === 1 && dimension !== 1) ? [axis] : [],
  );
  return reshape(graph, axes.length === 0 ? a : sum(graph, a, axes), shape);
}

/** Repeats dimensions of one. */
export function expand(graph: Graph, a: Tensor, shape: Shape): Tensor {
  if (sameShape(a.shape, shape)) return a;
  const y = graph.node('Expand', [a, graph.integers(staticShape(shape))], shape);
  graph.record([y], ([dy]) => graph.accumulate(a, sumTo(graph, dy!, a.shape)));
  return y;
}

/** The mean over the last axis, which stays. No gradient flows through it: for use in reverse passes. */
export function rowMean(graph: Graph, a: Tensor): Tensor {
  const axes = graph.integers([a.shape.length - 1]);
  return graph.node('ReduceMean', [a, axes], [...a.shape.slice(0, -1), 1], { attributes: { keepdims: 1 } });
}
