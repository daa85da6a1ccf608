import { type Dimension, type Shape } from '../../onnx/types.ts';
import type { Graph, Tensor } from '../graph.ts';
import { sameShape, sizeOf, staticShape } from '../shapes.ts';

/** The same elements in another shape. A named dimension must stay where it is, but for one. */
export function reshape(graph: Graph, a: Tensor, shape: Shape): Tensor {
  if (sameShape(a.shape, shape)) return a;
  const named = (dimension: Dimension, axis: number): number => (a.shape[axis] === dimension ? 0 : -1);
  const target = shape.map((dimension, axis) => (typeof dimension === 'number' ? dimension : named(dimension, axis)));
  if (target.filter((dimension) => dimension === -1).length > 1) {
    throw new RangeError(`[${a.shape}] cannot become [${shape}]: more than one named dimension moves`);
  }
  const y = graph.node('Reshape', [a, graph.integers(target)], shape);
  graph.record([y], ([dy]) => graph.accumulate(a, reshape(graph, dy!, a.shape)));
  return y;
}

export function transpose(graph: Graph, a: Tensor, permutation: readonly number[]): Tensor {
  const shape = permutation.map((axis) => a.shape[axis]!);
  const y = graph.node('Transpose', [a], shape, { attributes: { perm: permutation } });
  graph.record([y], ([dy]) => {
    const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
    graph.accumulate(a, transpose(graph, dy!, inverse));
  });
  return y;
}

/** Elements [from, to) along an axis. */
export function slice(graph: Graph, a: Tensor, axis: number, from: number, to: number): Tensor {
  const shape = a.shape.map((dimension, i) => (i === axis ? to - from : dimension));
  const y = graph.node('Slice', [a, graph.integers([from]), graph.integers([to]), graph.integers([axis])], shape);
  graph.record([y], ([dy]) => {
    const pads = a.shape.map(() => 0);
    const ends = a.shape.map(() => 0);
    pads[axis] = from;
    ends[axis] = staticShape(a.shape)[axis]! - to;
    graph.accumulate(a, graph.node('Pad', [dy, graph.integers([...pads, ...ends])], a.shape));
  });
  return y;
}

/** A WebGPU kernel binds its tensors as buffers, of which a device may have no more than eight. */
const MOST_PARTS = 7;

/** Cuts a tensor along an axis into parts of these sizes; many parts in several steps. */
export function split(graph: Graph, a: Tensor, axis: number, sizes: readonly number[]): Tensor[] {
  if (sizes.length === 1) return [a];
  if (sizes.length > MOST_PARTS) {
    const each = Math.ceil(sizes.length / MOST_PARTS);
    const groups = Array.from({ length: Math.ceil(sizes.length / each) }, (_, i) =>
      sizes.slice(i * each, (i + 1) * each),
    );
    const totals = groups.map((group) => group.reduce((x, y) => x + y, 0));
    return split(graph, a, axis, totals).flatMap((part, i) => split(graph, part, axis, groups[i]!));
  }
  const shapes = sizes.map((size) => ({ shape: a.shape.map((dimension, i) => (i === axis ? size : dimension)) }));
  const parts = graph.nodes('Split', [a, graph.integers(sizes)], shapes, { attributes: { axis } });
  graph.record(parts, (gradients) => {
    const whole = gradients.map((gradient, i) => gradient ?? zeros(graph, parts[i]!.shape));
    graph.accumulate(a, concatenate(graph, whole, axis));
  });
  return parts;
}

export function concatenate(graph: Graph, parts: readonly Tensor[], axis: number): Tensor {
  if (parts.length === 1) return parts[0]!;
  const sizes = parts.map(({ shape }) => staticShape([shape[axis]!])[0]!);
  const shape = parts[0]!.shape.map((dimension, i) => (i === axis ? sizes.reduce((a, b) => a + b, 0) : dimension));
  const y = graph.node('Concat', parts, shape, { attributes: { axis } });
  graph.record([y], ([dy]) => {
    let from = 0;
    parts.forEach((part, i) => {
      const to = from + sizes[i]!;
      if (part.differentiable) graph.accumulate(part, slice(graph, dy!, axis, from, to));
      from = to;
    });
  });
  return y;
}

/** Rows of a matrix or of a higher tensor, by their indices along its first axis. */
export function gather(graph: Graph, a: Tensor, indices: Tensor): Tensor {
  const y = graph.node('Gather', [a, indices], [...indices.shape, ...a.shape.slice(1)], { attributes: { axis: 0 } });
  graph.record([y], ([dy]) => {
    const rows = graph.node('Unsqueeze', [indices, graph.integers([-1])], [...indices.shape, 1]);
    const scattered = graph.node('ScatterND', [zeros(graph, a.shape), rows, dy], a.shape, {
      attributes: { reduction: 'add' },
    });
    graph.accumulate(a, scattered);
  });
  return y;
}

export function zeros(graph: Graph, shape: Shape): Tensor {
  const of = graph.integers(staticShape(shape));
  const bytes = new Uint8Array(graph.float === 1 ? 4 : 8);
  const value = { tensor: { name: 'zero', type: graph.float, shape: [1], data: bytes } };
  return graph.node('ConstantOfShape', [of], shape, { type: graph.float, attributes: { value } });
}

/** The same elements as a matrix with the last axis as its columns. */
export function asMatrix(graph: Graph, a: Tensor): Tensor {
  const columns = staticShape(a.shape.slice(-1))[0]!;
  return reshape(graph, a, [sizeOf(a.shape) / columns, columns]);
}
