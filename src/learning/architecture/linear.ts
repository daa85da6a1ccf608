import type { Graph, Tensor } from '../graph/graph.ts';
import { add, multiply, scale } from '../graph/ops/arithmetic.ts';
import { matmul, quantizedMatmul } from '../graph/ops/matmul.ts';
import { blocks, weight, type BaseModel } from './base.ts';

/** The low-rank update of a layer as tensors of a graph. */
export interface LowRank {
  /** [rank, inputs], or [batch, rank, inputs] where each row of a batch has its own. */
  readonly a: Tensor;
  /** [outputs, rank], or [batch, outputs, rank] */
  readonly b: Tensor;
  readonly scaling: number;
  /** What of the layer's input is kept, as factors: 0 or 1 / (1 − dropout). */
  readonly keep?: Tensor;
}

/** The updates of the layers that have one. */
export type Updates = ReadonlyMap<string, LowRank>;

export interface LinearOptions {
  /** 4: activations in 8 bits, where the matrix lies in blocks. */
  readonly accuracy?: 4;
}

/** y = x Wᵀ + bias, and + scaling · (keep ∘ x) Aᵀ Bᵀ where the layer has an update (Hu et al. 2021). */
export function linear(
  graph: Graph,
  base: BaseModel,
  x: Tensor,
  module: string,
  updates: Updates,
  { accuracy }: LinearOptions = {},
): Tensor {
  const packed = blocks(graph, base, module);
  const product =
    packed === undefined
      ? matmul(graph, x, weight(graph, base, `${module}.weight`), { b: true })
      : quantizedMatmul(graph, x, packed, accuracy);
  const y = base.tensors.has(`${module}.bias`) ? add(graph, product, weight(graph, base, `${module}.bias`)) : product;
  const update = updates.get(module);
  if (update === undefined) return y;
  const { a, b, scaling, keep } = update;
  const kept = keep === undefined ? x : multiply(graph, x, keep);
  const low = matmul(graph, kept, a, { b: true });
  return add(graph, y, matmul(graph, scale(graph, low, scaling), b, { b: true }));
}
