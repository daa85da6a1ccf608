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
    // da = dy / b, db = −dy · (a / b) / b
    const share = divide(graph, dy!, b);
    if (a.differentiable) graph.accumulate(a, sumTo(graph, share, a.shape));
    if (b.differentiable) graph.accumulate(b, sumTo(graph, negate(graph, multiply(graph, share, y)), b.shape));
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

/** ln(1 + e^a), without overflow: max(a, 0) + ln(1 + e^−|a|). Its slope is the sigmoid. In single precision. */
export function softplus(graph: Graph, a: Tensor): Tensor {
  const y = graph.node('Softplus', [a], a.shape);
  graph.record([y], ([dy]) => graph.accumulate(a, multiply(graph, dy!, graph.node('Sigmoid', [a], a.shape))));
  return y;
}

/** a · sigmoid(a) (Elfwing et al. 2018). In single precision: the runtime fuses it. */
export function silu(graph: Graph, a: Tensor): Tensor {
  const s = graph.node('Sigmoid', [a], a.shape);
  const y = graph.node('Mul', [a, s], a.shape);
  graph.record([y], ([dy]) => {
    // s + y · (1 − s)
    const rest = multiply(graph, y, subtract(graph, graph.scalar(1), s));
    graph.accumulate(a, multiply(graph, dy!, add(graph, s, rest)));
  });
  return y;
}

/** a · Φ(a), exact (Hendrycks and Gimpel 2016). In single precision. */
export function gelu(graph: Graph, a: Tensor): Tensor {
  const y = graph.node('Gelu', [a], a.shape, { domain: CONTRIB });
  graph.record([y], ([dy]) => {
    // Φ(a) + a · φ(a) = (1 + erf z + z / e^(z² − ln 2/√π)) / 2 of z = a / √2, in as few passes over the values as there are.
    const z = scale(graph, a, Math.SQRT1_2);
    const exponents = add(graph, multiply(graph, z, z), graph.scalar(-Math.log(2 / Math.sqrt(Math.PI))));
    const bell = divide(graph, z, graph.node('Exp', [exponents], a.shape));
    const sum = add(graph, add(graph, graph.node('Erf', [z], a.shape), bell), graph.scalar(1));
    graph.accumulate(a, scale(graph, multiply(graph, dy!, sum), 0.5));
  });
  return y;
}
