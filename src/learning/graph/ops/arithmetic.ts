import { DataType } from '../../onnx/types.ts';
import { CONTRIB, type Graph, type Tensor } from '../graph.ts';
import { broadcast } from '../shapes.ts';
import { sumTo } from './reduce.ts';

/*
 * Elementwise operators. Two operands broadcast as in NumPy; the gradient of one is summed back to its shape.
 */

export function add(graph: Graph, a: Tensor, b: Tensor): Tensor {
  const y = graph.node('Add', [a, b], broadcast(a.shape, b.shape));
  graph.record([y], ([dy]) => {
    if (a.differentiable) graph.accumulate(a, sumTo(graph, dy!, a.shape));
    if (b.differentiable) graph.accumulate(b, sumTo(graph, dy!, b.shape));
  });
  return y;
}

export function subtract(graph: Graph, a: Tensor, b: Tensor): Tensor {
  const y = graph.node('Sub', [a, b], broadcast(a.shape, b.shape));
  graph.record([y], ([dy]) => {
    if (a.differentiable) graph.accumulate(a, sumTo(graph, dy!, a.shape));
    if (b.differentiable) graph.accumulate(b, sumTo(graph, negate(graph, dy!), b.shape));
  });
  return y;
}

export function multiply(graph: Graph, a: Tensor, b: Tensor): Tensor {
  const y = graph.node('Mul', [a, b], broadcast(a.shape, b.shape));
  graph.record([y], ([dy]) => {
    if (a.differentiable) graph.accumulate(a, sumTo(graph, multiply(graph, dy!, b), a.shape));
    if (b.differentiable) graph.accumulate(b, sumTo(graph, multiply(graph, dy!, a), b.shape));
  });
  return y;
}

export function divide(graph: Graph, a: Tensor, b: Tensor): Tensor {
  const y = graph.node('Div', [a, b], broadcast(a.shape, b.shape));
  graph.record([y], ([dy]) => {
    if (a.differentiable) graph.accumulate(a, sumTo(graph, divide(graph, dy!, b), a.shape));
    if (b.differentiable) {
      // d(a/b)/db = −(a/b)/b
      const db = negate(graph, divide(graph, multiply(graph, dy!, y), b));
      graph.accumulate(b, sumTo(graph, db, b.shape));
    }
  });
  return y;
}

/** `factor · a` */
export const scale = (graph: Graph, a: Tensor, factor: number): Tensor => multiply(graph, a, graph.scalar(factor));

export function negate(graph: Graph, a: Tensor): Tensor {
  const y = graph.node('Neg', [a], a.shape);
  graph.record([y], ([dy]) => graph.accumulate(a, negate(graph, dy!)));
  return y;
}

export function exponential(graph: Graph, a: Tensor): Tensor {
  const y = graph.node('Exp', [a], a.shape);
  graph.record([y], ([dy]) => graph.accumulate(a, multiply(graph, dy!, y)));
  return y;
}

export function logarithm(graph: Graph, a: Tensor): Tensor {
  const y = graph.node('Log', [a], a.shape);
  graph.record([y], ([dy]) => graph.accumulate(a, divide(graph, dy!, a)));
  return y;
}

export function squareRoot(graph: Graph, a: Tensor): Tensor {
  const y = graph.node('Sqrt', [a], a.shape);
  graph.record([y], ([dy]) => graph.accumulate(a, divide(graph, scale(graph, dy!, 0.5), y)));
  return y;
}

export function sigmoid(graph: Graph, a: Tensor): Tensor {
  const y = graph.node('Sigmoid', [a], a.shape);
  graph.record([y], ([dy]) => {
    const slope = multiply(graph, y, subtract(graph, graph.scalar(1), y));
    graph.accumulate(a, multiply(graph, dy!, slope));
  });
  return y;
}

export function hyperbolicTangent(graph: Graph, a: Tensor): Tensor {
  const y = graph.node('Tanh', [a], a.shape);
  graph.record([y], ([dy]) => {
    const slope = subtract(graph, graph.scalar(1), multiply(graph, y, y));
    graph.accumulate(a, multiply(graph, dy!, slope));
  });
  return y;
}

/** ln(1 + e^a), without overflow: max(a, 0) + ln(1 + e^−|a|). Its slope is the sigmoid. */
export function softplus(graph: Graph, a: Tensor): Tensor {
  const y = graph.node('Softplus', [a], a.shape);
  graph.record([y], ([dy]) => graph.accumulate(a, multiply(graph, dy!, graph.node('Sigmoid', [a], a.shape))));
  return y;
}

/** a · sigmoid(a) (Elfwing et al. 2018). */
export function silu(graph: Graph, a: Tensor): Tensor {
  const s = graph.node('Sigmoid', [a], a.shape);
  const y = graph.node('Mul', [a, s], a.shape);
  graph.record([y], ([dy]) => {
    // s · (1 + a · (1 − s))
    const rest = multiply(graph, a, subtract(graph, graph.scalar(1), s));
    graph.accumulate(a, multiply(graph, dy!, multiply(graph, s, add(graph, graph.scalar(1), rest))));
  });
  return y;
}

/** a · Φ(a), exact (Hendrycks and Gimpel 2016). The runtime's fused kernel knows single precision only. */
export function gelu(graph: Graph, a: Tensor): Tensor {
  const cdf = (): Tensor => {
    const erf = graph.node('Erf', [scale(graph, a, Math.SQRT1_2)], a.shape);
    return scale(graph, add(graph, erf, graph.scalar(1)), 0.5);
  };
  const fused = graph.float === DataType.FLOAT;
  const y = fused
    ? graph.node('Gelu', [a], a.shape, { domain: CONTRIB })
    : graph.node('Mul', [a, graph.node('Identity', [cdf()], a.shape)], a.shape);
  graph.record([y], ([dy]) => {
    const square = multiply(graph, a, a);
    const bell = graph.node('Exp', [scale(graph, square, -0.5)], a.shape);
    const pdf = scale(graph, bell, 1 / Math.sqrt(2 * Math.PI));
    graph.accumulate(a, multiply(graph, dy!, add(graph, cdf(), multiply(graph, a, pdf))));
  });
  return y;
}
