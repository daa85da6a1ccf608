import type { Graph, Tensor } from '../graph/graph.ts';
import { add, multiply, scale } from '../graph/ops/arithmetic.ts';
import { matmul, quantizedMatmul } from '../graph/ops/matmul.ts';
import { split } from '../graph/ops/shape.ts';
import { blocks, linearShape, stacked, type BaseModel } from './base.ts';

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
export const linear = (
  graph: Graph,
  base: BaseModel,
  x: Tensor,
  module: string,
  updates: Updates,
  options: LinearOptions = {},
): Tensor => linears(graph, base, x, [module], updates, options)[0]!;

/**
 * The same of layers that read one input and lie in one group: one product. Where a gradient flows back it is one each: results that are
 * cut apart, and gradients that are put together again, cost more than the wider product wins.
 */
export function linears(
  graph: Graph,
  base: BaseModel,
  x: Tensor,
  modules: readonly string[],
  updates: Updates,
  options: LinearOptions = {},
): Tensor[] {
  if (x.differentiable && modules.length > 1)
    return modules.map((module) => linear(graph, base, x, module, updates, options));
  const sizes = modules.map((module) => linearShape(base.config, module).outputs);
  const whole = stackedLinear(graph, base, x, modules, options);
  return split(graph, whole, x.shape.length - 1, sizes).map((y, i) => updated(graph, x, y, updates.get(modules[i]!)));
}

/** Without updates, the results side by side: x [W₁; W₂; …]ᵀ + [bias₁, bias₂, …]. */
export function stackedLinear(
  graph: Graph,
  base: BaseModel,
  x: Tensor,
  modules: readonly string[],
  { accuracy }: LinearOptions = {},
): Tensor {
  const named = (part: string): string[] => modules.map((module) => `${module}.${part}`);
  const packed = blocks(graph, base, modules);
  const product =
    packed === undefined
      ? matmul(graph, x, stacked(graph, base, named('weight')), { b: true })
      : quantizedMatmul(graph, x, packed, accuracy);
  return base.tensors.has(`${modules[0]}.bias`) ? add(graph, product, stacked(graph, base, named('bias'))) : product;
}

function updated(graph: Graph, x: Tensor, y: Tensor, update: LowRank | undefined): Tensor {
  if (update === undefined) return y;
  const { a, b, scaling, keep } = update;
  const kept = keep === undefined ? x : multiply(graph, x, keep);
  const low = matmul(graph, kept, a, { b: true });
  return add(graph, y, matmul(graph, scale(graph, low, scaling), b, { b: true }));
}
