import { baseInMemory, blocks } from '../../../src/learning/architecture/base.ts';
import type { Blocks4Tensors } from '../../../src/learning/graph/ops/matmul.ts';
import type { Graph } from '../../../src/learning/graph/graph.ts';
import * as arithmetic from '../../../src/learning/graph/ops/arithmetic.ts';
import * as loss from '../../../src/learning/graph/ops/loss.ts';
import * as matmul from '../../../src/learning/graph/ops/matmul.ts';
import * as normalization from '../../../src/learning/graph/ops/normalization.ts';
import * as reduce from '../../../src/learning/graph/ops/reduce.ts';
import * as shape from '../../../src/learning/graph/ops/shape.ts';
import { softmax } from '../../../src/learning/graph/ops/softmax.ts';
import { quantizeBlocks4 } from '../../../src/learning/weights/quantize.ts';
import { TINY_DECODER, tinyWeights } from '../tiny.ts';
import { drawn, type Check, type Operand } from './check.ts';
import { erf, labelLogs, layerNorms, productWithTransposed, rmsNorms } from './references.ts';

/* What the gradient of every operator is checked on. */

const indices = (values: readonly number[], of: readonly number[] = [values.length]): Operand => ({
  shape: of,
  indices: values,
});

const PAIRS: readonly (readonly [string, readonly number[], readonly number[]])[] = [
  ['two scalars', [], []],
  ['a row and a scalar', [3], []],
  ['equal shapes', [2, 3], [2, 3]],
  ['a matrix and a row', [2, 3], [3]],
  ['a column and a row', [2, 1], [1, 3]],
  ['a matrix and a tensor of four axes', [3, 1], [2, 2, 1, 2]],
  ['a row of ones in front', [1, 1, 2], [2]],
];

const elementwise = (['add', 'subtract', 'multiply', 'divide'] as const).flatMap((operator) =>
  PAIRS.map(([about, a, b]): Check => {
    // Nothing is divided by numbers near zero.
    const second = operator === 'divide' ? drawn(b, 0.5, 2) : drawn(b);
    return { operator, about, operands: [drawn(a), second], build: (g, [x, y]) => arithmetic[operator](g, x!, y!) };
  }),
);

const UNARY: Readonly<Record<string, { readonly of?: (x: number) => number }>> = {
  negate: {},
  silu: { of: (x) => x / (1 + Math.exp(-x)) },
  softplus: { of: (x) => Math.log1p(Math.exp(x)) },
  gelu: { of: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)) },
};

const unary = Object.entries(UNARY).flatMap(([operator, { of }]) =>
  [[], [7], [2, 3, 2]].map((axes): Check => ({
    ...{ operator, about: `${axes.length} axes`, operands: [drawn(axes, -2.5, 2.5)] },
    build: (g, [x]) => (arithmetic[operator as 'gelu'] satisfies typeof arithmetic.gelu)(g, x!),
    ...(of === undefined ? {} : { reference: ([x]) => [...x!.map(of)] }),
  })),
);

const reused: Check[] = [
  {
    ...{ operator: 'add', about: 'a tensor that is used three times', operands: [drawn([2, 3])] },
    build: (g, [x]) => arithmetic.add(g, arithmetic.multiply(g, x!, x!), x!),
  },
  {
    ...{ operator: 'multiply', about: 'a chain with a branch', operands: [drawn([3]), drawn([3])] },
    build: (g, [x, y]) => {
      const product = arithmetic.multiply(g, x!, y!);
      return [arithmetic.subtract(g, product, x!), softmax(g, product)];
    },
  },
  {
    ...{ operator: 'scale', about: 'a factor', operands: [drawn([2, 3])] },
    build: (g, [x]) => arithmetic.scale(g, x!, -0.75),
  },
];

const turned = (axes: readonly number[], yes: boolean): number[] =>
  yes ? [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!] : [...axes];
const products = [false, true].flatMap((a) =>
  [false, true].flatMap((b) =>
    [
      { about: 'matrices', before: [[], []] },
      { about: 'three axes and a matrix', before: [[2], []] },
      { about: 'four axes and a matrix', before: [[2, 2], []] },
      { about: 'three axes each', before: [[2], [2]] },
      {
        about: 'four axes each',
        before: [
          [2, 2],
          [2, 2],
        ],
      },
      { about: 'a matrix and three axes', before: [[], [2]] },
      {
        about: 'axes that broadcast',
        before: [
          [3, 1],
          [1, 2],
        ],
      },
    ].map(({ about, before }): Check => {
      const left = turned([...before[0]!, 2, 3], a);
      const right = turned([...before[1]!, 3, 4], b);
      return {
        ...{ operator: 'matmul', operands: [drawn(left), drawn(right)] },
        about: `${about}${a ? ', the first transposed' : ''}${b ? ', the second transposed' : ''}`,
        build: (g, [x, y]) => matmul.matmul(g, x!, y!, { a, b }),
      };
    }),
  ),
);

const MODULE = 'model.layers.0.self_attn.k_proj';
const weights = tinyWeights(TINY_DECODER);
const base = baseInMemory('tiny', weights, TINY_DECODER, '4bit');

/** A matrix in 4-bit blocks, [32, 64] in blocks of 32. */
export const quantized = (graph: Graph): Blocks4Tensors => blocks(graph, base, [MODULE])!;

/** Its elements in double precision: scale · code + minimum. */
export function explicitMatrix(): Float64Array {
  const [rows, columns] = weights.shape(`${MODULE}.weight`) as [number, number];
  const { codes, scales, minima, blockSize } = quantizeBlocks4(weights.f32(`${MODULE}.weight`), rows, columns, 32);
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const block = Math.floor(at / blockSize);
    const code = at % 2 === 0 ? codes[at / 2]! & 15 : codes[(at - 1) / 2]! >> 4;
    return scales[block]! * code + minima[block]!;
  });
}

const quantizedProducts = [[2], [1, 2]].map((outer): Check => ({
  ...{ operator: 'quantizedMatmul', about: `${outer.length + 1} axes`, operands: [drawn([...outer, 64])] },
  build: (g, [x]) => matmul.quantizedMatmul(g, x!, quantized(g)),
  reference: ([x]) => productWithTransposed(x!, explicitMatrix(), 64),
}));

const rows = [
  ...[[5], [2, 4], [2, 2, 3]].map((axes): Check => ({
    ...{ operator: 'softmax', about: `${axes.length} axes`, operands: [drawn(axes)] },
    build: (g, [x]) => softmax(g, x!),
  })),
  ...[[4], [3, 4], [2, 2, 4]].flatMap((axes): Check[] => [
    {
      ...{ operator: 'layerNorm', about: `${axes.length} axes` },
      operands: [drawn(axes), drawn([4], 0.5, 1.5), drawn([4])],
      build: (g, [x, gain, bias]) => normalization.layerNorm(g, x!, gain!, bias!, 1e-3),
      reference: ([x, gain, bias]) => layerNorms(x!, gain!, bias!, Math.fround(1e-3)),
    },
    {
      ...{ operator: 'rmsNorm', about: `${axes.length} axes`, operands: [drawn(axes), drawn([4], 0.5, 1.5)] },
      build: (g, [x, gain]) => normalization.rmsNorm(g, x!, gain!, 1e-3),
      reference: ([x, gain]) => rmsNorms(x!, gain!, Math.fround(1e-3)),
    },
  ]),
];

const sums: Check[] = [
  ...[[0], [2], [0, 2], [0, 1, 2]].flatMap((axes) =>
    [true, false].map((keep): Check => ({
      ...{ operator: 'sum', about: `axes ${axes}, ${keep ? 'kept' : 'gone'}`, operands: [drawn([2, 3, 2])] },
      build: (g, [x]) => reduce.sum(g, x!, axes, { keep }),
    })),
  ),
  ...[[2, 3, 2], [3, 2], [2], [1, 3, 1], [1, 1], []].map((to): Check => ({
    ...{ operator: 'sumTo', about: `[2, 3, 2] to [${to}]`, operands: [drawn([2, 3, 2])] },
    build: (g, [x]) => reduce.sumTo(g, x!, to),
  })),
  ...[[2], [3, 1], [2, 3, 2], [1, 3, 1]].map((from): Check => ({
    ...{ operator: 'expand', about: `[${from}] to [2, 3, 2]`, operands: [drawn(from)] },
    build: (g, [x]) => reduce.expand(g, x!, [2, 3, 2]),
  })),
];

const whole = drawn([4, 3, 2]);
const shapes: Check[] = [
  { operator: 'reshape', about: 'fewer axes', operands: [whole], build: (g, [x]) => shape.reshape(g, x!, [6, 4]) },
  { operator: 'reshape', about: 'no axis', operands: [drawn([1, 1])], build: (g, [x]) => shape.reshape(g, x!, []) },
  { operator: 'asMatrix', about: 'three axes', operands: [whole], build: (g, [x]) => shape.asMatrix(g, x!) },
  ...[
    [0, 2, 1],
    [1, 2, 0],
    [2, 1, 0],
  ].map((permutation): Check => ({
    ...{ operator: 'transpose', about: `${permutation}`, operands: [whole] },
    build: (g, [x]) => shape.transpose(g, x!, permutation),
  })),
  ...(
    [
      [0, 0, 2],
      [0, 1, 4],
      [1, 1, 2],
      [2, 0, 2],
    ] as const
  ).map(([axis, from, to]): Check => ({
    ...{ operator: 'slice', about: `axis ${axis} from ${from} to ${to}`, operands: [whole] },
    build: (g, [x]) => shape.slice(g, x!, axis, from, to),
  })),
  ...[0, 1, 2].map((axis): Check => {
    const part = (size: number): Operand => drawn([2, 3, 2].map((own, i) => (i === axis ? size : own)));
    return {
      ...{ operator: 'concatenate', about: `axis ${axis}`, operands: [part(1), part(3), part(2)] },
      build: (g, parts) => shape.concatenate(g, parts, axis),
    };
  }),
  {
    ...{ operator: 'concatenate', about: 'a tensor with itself', operands: [drawn([2, 3])] },
    build: (g, [x]) => shape.concatenate(g, [x!, x!], 1),
  },
  {
    ...{ operator: 'concatenate', about: 'one tensor', operands: [drawn([2, 3])] },
    build: (g, [x]) => shape.concatenate(g, [x!], 0),
  },
  { operator: 'split', about: 'every part', operands: [whole], build: (g, [x]) => shape.split(g, x!, 0, [1, 2, 1]) },
  {
    ...{ operator: 'split', about: 'parts that nothing depends on', operands: [whole] },
    build: (g, [x]) => shape.split(g, x!, 1, [1, 1, 1])[1]!,
  },
  { operator: 'split', about: 'one part', operands: [whole], build: (g, [x]) => shape.split(g, x!, 0, [4]) },
  {
    ...{ operator: 'gather', about: 'rows that repeat', operands: [drawn([4, 3]), indices([2, 0, 2, 2])] },
    build: (g, [x, i]) => shape.gather(g, x!, i!),
  },
  {
    ...{ operator: 'gather', about: 'a matrix of indices', operands: [whole, indices([1, 3, 1, 0], [2, 2])] },
    build: (g, [x, i]) => shape.gather(g, x!, i!),
  },
  {
    ...{ operator: 'gather', about: 'elements', operands: [drawn([5]), indices([4, 4, 1])] },
    build: (g, [x, i]) => shape.gather(g, x!, i!),
  },
];

const LABELS = [3, 0, 3, 1];
/** More than two chunks, the last one not full. */
const MANY = 130;
const tokens = Array.from({ length: MANY }, (_, i) => (i * i) % 7);
const losses: Check[] = [
  {
    ...{ operator: 'labelLogProbabilities', about: 'labels that repeat', operands: [drawn([4, 5]), indices(LABELS)] },
    build: (g, [x, labels]) => loss.labelLogProbabilities(g, x!, labels!),
    reference: ([x]) => labelLogs(x!, 5, LABELS),
  },
  {
    ...{ operator: 'tokenLogProbabilities', about: 'less than a chunk', operands: [drawn([4, 3]), indices(LABELS)] },
    build: (g, [x, labels]) => loss.tokenLogProbabilities(g, x!, head(g), labels!),
  },
  {
    ...{ operator: 'tokenLogProbabilities', about: 'several chunks', operands: [drawn([MANY, 3]), indices(tokens)] },
    build: (g, [x, labels]) => loss.tokenLogProbabilities(g, x!, head(g), labels!),
  },
  {
    ...{ operator: 'weightedNegativeSum', about: 'both operands', operands: [drawn([6]), drawn([6])] },
    build: (g, [x, y]) => loss.weightedNegativeSum(g, x!, y!),
  },
];

/** A frozen table of seven tokens, [7, 3]. */
export const HEAD = Array.from({ length: 21 }, (_, i) => Math.fround(Math.sin(1 + i)));
const head = (g: Graph) => g.floats(HEAD, [7, 3]);

export const CHECKS: readonly Check[] = [
  ...[elementwise, unary, reused, products, quantizedProducts, rows, sums, shapes, losses].flat(),
];
