import type { Graph, Tensor } from '../graph.ts';
import { multiply, subtract } from './arithmetic.ts';
import { sum } from './reduce.ts';

/** Softmax over the last axis. */
export function softmax(graph: Graph, a: Tensor): Tensor {
  const y = graph.node('Softmax', [a], a.shape, { attributes: { axis: -1 } });
  graph.record([y], ([dy]) => {
    const weighted = multiply(graph, dy!, y);
    const total = sum(graph, weighted, [a.shape.length - 1]);
    graph.accumulate(a, subtract(graph, weighted, multiply(graph, y, total)));
  });
  return y;
}

/** The logarithm of softmax over the last axis. */
export function logSoftmax(graph: Graph, a: Tensor): Tensor {
  const y = graph.node('LogSoftmax', [a], a.shape, { attributes: { axis: -1 } });
  graph.record([y], ([dy]) => {
    const total = sum(graph, dy!, [a.shape.length - 1]);
    const share = multiply(graph, graph.node('Exp', [y], a.shape), total);
    graph.accumulate(a, subtract(graph, dy!, share));
  });
  return y;
}
