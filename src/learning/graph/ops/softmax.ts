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
