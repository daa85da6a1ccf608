import { CONTRIB, type Graph, type Tensor } from '../graph.ts';
import { broadcast, lastOf, sizeOf } from '../shapes.ts';
import { add, scale } from './arithmetic.ts';
import { sumTo } from './reduce.ts';
import { asMatrix, reshape, slice } from './shape.ts';

interface Transposed {
  readonly a?: boolean;
  readonly b?: boolean;
}

/**
 * Matrix product over the last two axes; the axes before broadcast. `transposed` reads an operand's last two axes the other way
 * round, without a copy of it.
 */
export function matmul(graph: Graph, a: Tensor, b: Tensor, transposed: Transposed = {}): Tensor {
  const y = product(graph, a, b, transposed);
  graph.record([y], ([dy]) => {
    if (a.differentiable) {
      const da = transposed.a
        ? product(graph, b, dy!, { a: transposed.b === true, b: true })
        : product(graph, dy!, b, { b: transposed.b !== true });
      graph.accumulate(a, sumTo(graph, da, a.shape));
    }
    if (b.differentiable) {
      // Where all rows meet one matrix, they are rows of one matrix themselves: one product that sums, instead of many and a sum.
      const together = b.shape.length === 2 && !transposed.a;
      const left = together ? asMatrix(graph, a) : a;
      const right = together ? asMatrix(graph, dy!) : dy!;
      const db = transposed.b
        ? product(graph, right, left, { a: true, b: transposed.a === true })
        : product(graph, left, right, { a: transposed.a !== true });
      graph.accumulate(b, sumTo(graph, db, b.shape));
    }
  });
  return y;
}

function product(graph: Graph, a: Tensor, b: Tensor, transposed: Transposed): Tensor {
  const [rows, innerA] = transposed.a ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
  const [innerB, columns] = transposed.b ? [b.shape.at(-1)!, b.shape.at(-2)!] : [b.shape.at(-2)!, b.shape.at(-1)!];
  if (innerA !== innerB) throw new RangeError(`[${a.shape}] and [${b.shape}] have no product`);
  const shape = [...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)), rows, columns];
  if (!transposed.a && !transposed.b) return graph.node('MatMul', [a, b], shape);
  const attributes = { transA: transposed.a ? 1 : 0, transB: transposed.b ? 1 : 0 };
  if (graph.provider !== 'webgpu') return graph.node('FusedMatMul', [a, b], shape, { attributes, domain: CONTRIB });
  // WebGPU has no kernel for that. One for matrices reads them either way; of higher tensors there is a transposed copy.
  if (a.shape.length === 2 && b.shape.length === 2) return graph.node('Gemm', [a, b], shape, { attributes });
  return graph.node('MatMul', [transposed.a ? turned(graph, a) : a, transposed.b ? turned(graph, b) : b], shape);
}

/** The last two axes the other way round. */
function turned(graph: Graph, a: Tensor): Tensor {
  const axes = a.shape.map((_, axis) => axis);
  const perm = [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!];
  return graph.node(
    'Transpose',
    [a],
    perm.map((axis) => a.shape[axis]!),
    { attributes: { perm } },
  );
}

/** A frozen matrix in 4-bit blocks: element = scale · code + minimum, of its block of `blockSize` columns. */
export interface Blocks4Tensors {
  readonly rows: number;
  readonly columns: number;
  readonly blockSize: number;
  /** UINT8 [rows, blocks, blockSize / 2], the first code in the low half. */
  readonly packed: Tensor;
  /** [rows, blocks] */
  readonly scales: Tensor;
  /** minimum + 8 · scale, [rows, blocks]: what the runtime's kernel, whose codes are about 8, leaves out. */
  readonly corrections: Tensor;
  readonly unpacking: Unpacking;
}

/**
 * The same blocks as {@link unpacked} reads them: codes UINT4, scales, minima. On the processor blocks are rows, each with a scale of
 * its own, [rows · blocks, blockSize], [rows · blocks], [rows · blocks, 1]: its kernel takes a third less time for that. Elsewhere
 * [rows, blocks, blockSize] and twice [rows, blocks, 1].
 */
export interface Unpacking {
  readonly codes: Tensor;
  readonly scales: Tensor;
  readonly minima: Tensor;
}

/**
 * x · Wᵀ for a frozen W in 4-bit blocks (QLoRA, Dettmers et al. 2023). Where shapes are fixed, which is where one trains, the
 * matrix is unpacked for the product and forgotten: for hundreds of rows that takes no longer than the runtime's kernel for
 * blocks, it is the very matrix that the reverse pass multiplies by, and every element of it is rounded once. Elsewhere the
 * kernel reads the blocks themselves. It knows no minima: W = scale (code − 8) + (minimum + 8 scale), and the second part is a
 * product with the sums of x over each block.
 */
export function quantizedMatmul(graph: Graph, x: Tensor, w: Blocks4Tensors, accuracy?: 4): Tensor {
  const { rows, columns } = w;
  if (lastOf(x.shape) !== columns) throw new RangeError(`[${x.shape}] and [${rows}, ${columns}]ᵀ have no product`);
  const isFixed = x.shape.every((size) => typeof size === 'number');
  const y =
    isFixed && accuracy === undefined
      ? product(graph, x, unpacked(graph, w), { b: true })
      : productWithBlocks(graph, x, w, accuracy);
  graph.record([y], ([dy]) => graph.accumulate(x, product(graph, dy!, unpacked(graph, w, dy), {})));
  return y;
}

function productWithBlocks(graph: Graph, x: Tensor, w: Blocks4Tensors, accuracy: 4 | undefined): Tensor {
  const { rows, columns, blockSize } = w;
  const blocks = columns / blockSize;
  const outer = x.shape.slice(0, -1);
  const shape = [...outer, rows];
  const near = graph.node('MatMulNBits', [x, w.packed, w.scales], shape, {
    attributes: {
      ...{ K: columns, N: rows, bits: 4, block_size: blockSize },
      ...(accuracy === undefined ? {} : { accuracy_level: accuracy }),
    },
    domain: CONTRIB,
  });
  const inBlocks = graph.node(
    'Reshape',
    [x, graph.integers([...outer.map(() => 0), blocks, blockSize])],
    [...outer, blocks, blockSize],
  );
  const sums = graph.node('ReduceSum', [inBlocks, graph.integers([outer.length + 1])], [...outer, blocks], {
    attributes: { keepdims: 0 },
  });
  return graph.node('Add', [near, product(graph, sums, w.corrections, { b: true })], shape);
}

/**
 * The matrix itself, [rows, columns]; `after` another tensor is there, where one is given. What depends on constants alone the runtime
 * may compute at any time: matrices of the reverse pass it unpacked during the forward one, and held them all.
 */
export function unpacked(
  graph: Graph,
  { rows, columns, blockSize, unpacking }: Blocks4Tensors,
  after?: Tensor,
): Tensor {
  const { codes, scales, minima } = unpacking;
  const scaled = graph.node(
    'DequantizeLinear',
    [codes, after === undefined ? scales : notBefore(graph, scales, after)],
    codes.shape,
    { type: graph.float, attributes: codes.shape.length === 2 ? { axis: 0 } : { axis: 2, block_size: blockSize } },
  );
  const whole = graph.node('Add', [scaled, minima], codes.shape);
  return graph.node('Reshape', [whole, graph.integers([rows, columns])], [rows, columns]);
}

/** `x`, in a tensor that depends on `after`: plus zero times an element of it, which must be finite. */
function notBefore(graph: Graph, x: Tensor, after: Tensor): Tensor {
  const first = slice(graph, reshape(graph, after, [sizeOf(after.shape)]), 0, 0, 1);
  return add(graph, x, scale(graph, first, 0));
}
