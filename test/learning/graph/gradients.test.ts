import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { Graph, type Tensor } from '../../../src/learning/graph/graph.ts';
import { multiply } from '../../../src/learning/graph/ops/arithmetic.ts';
import {
  labelLogProbabilities,
  tokenLogProbabilities,
  weightedNegativeSum,
} from '../../../src/learning/graph/ops/loss.ts';
import { matmul, quantizedMatmul, unpacked } from '../../../src/learning/graph/ops/matmul.ts';
import { rowMean, sum } from '../../../src/learning/graph/ops/reduce.ts';
import { zeros } from '../../../src/learning/graph/ops/shape.ts';
import { DataType, type Shape } from '../../../src/learning/onnx/types.ts';
import { indices, tensor } from '../../../src/learning/runtime/session.ts';
import { assertClose, checkGradients, draw, drawn, run, type Check } from './check.ts';
import { CHECKS, explicitMatrix, HEAD, quantized } from './checks.ts';
import { productWithTransposed } from './references.ts';

/** What no gradient flows through; what it computes is looked at below. */
const WITHOUT_GRADIENT = ['rowMean', 'unpacked', 'zeros'];

async function exportedOperators(): Promise<string[]> {
  const folder = new URL('../../../src/learning/graph/ops/', import.meta.url);
  const modules = await Promise.all(
    readdirSync(folder).map(async (file) => (await import(new URL(file, folder).href)) as Record<string, unknown>),
  );
  return modules.flatMap((module) => Object.keys(module).filter((name) => typeof module[name] === 'function'));
}

const unchecked = (exported: readonly string[]): string[] => {
  const known = new Set([...CHECKS.map(({ operator }) => operator), ...WITHOUT_GRADIENT]);
  return exported.filter((name) => !known.has(name));
};

describe('gradients of operators', () => {
  it('are checked for every operator that there is', async () => {
    const exported = await exportedOperators();
    assert.deepEqual(unchecked(exported), []);
    assert.deepEqual(unchecked([...exported, 'cosine']), ['cosine'], 'a new one is noticed');
    assert.deepEqual(
      [...CHECKS.map(({ operator }) => operator), ...WITHOUT_GRADIENT].filter((name) => !exported.includes(name)),
      [],
      'nothing is checked that is not there',
    );
  });

  for (const check of CHECKS) {
    const how = check.reference === undefined ? '' : ' (no kernel in double precision: against its formula)';
    it(`${check.operator}, ${check.about}: as finite differences say${how}`, () => checkGradients(check));
  }
});

describe('the check of gradients', () => {
  /** An operator whose gradient is `share` of what it should be. */
  const wrong = (share: number): Check => ({
    ...{ operator: 'exponential', about: `${share} of its gradient`, operands: [drawn([2, 3])] },
    build: (graph, [x]) => {
      const y = graph.node('Exp', [x], x!.shape);
      graph.record([y], ([dy]) => {
        const dx = graph.node('Mul', [dy, y], x!.shape);
        graph.accumulate(x!, graph.node('Mul', [dx, graph.scalar(share)], x!.shape));
      });
      return y;
    },
  });

  it('accepts a right gradient', () => checkGradients(wrong(1)));

  it('finds half a gradient', () => assert.rejects(checkGradients(wrong(0.5)), /gradient 0, double: element 0/));

  it('finds a gradient that is off by a millionth', () =>
    assert.rejects(checkGradients(wrong(1 + 1e-6)), /gradient 0, double/));

  it('finds a gradient that is not a number', () => assert.rejects(checkGradients(wrong(NaN)), /gradient 0/));

  it('finds a wrong gradient where only a formula is at hand', () =>
    assert.rejects(
      checkGradients({ ...wrong(1 + 1e-4), reference: ([x]) => [...x!.map(Math.exp)] }),
      /gradient 0, single/,
    ));

  it('finds an operator that computes something else than its formula', () =>
    assert.rejects(
      checkGradients({ ...wrong(1), reference: ([x]) => [...x!.map((value) => Math.exp(value) + 1)] }),
      /output 0, single/,
    ));

  it('finds an operand whose use was forgotten', () =>
    assert.rejects(
      checkGradients({
        ...{ operator: 'product', about: 'half of a square', operands: [drawn([3])] },
        build: (graph, [x]) => {
          const y = graph.node('Mul', [x, x], x!.shape);
          graph.record([y], ([dy]) => graph.accumulate(x!, graph.node('Mul', [dy, x], x!.shape)));
          return y;
        },
      }),
      /gradient 0, double/,
    ));
});

describe('operators', () => {
  const evaluate = async (
    build: (graph: Graph, x: Tensor) => Tensor,
    shape: readonly number[],
    values: ArrayLike<number>,
    declared: Shape = shape,
  ): Promise<ArrayLike<number>> => {
    const graph = new Graph();
    graph.output('y', build(graph, graph.input('x', DataType.FLOAT, declared)));
    return (await run(graph.toModel(), { x: tensor(Float32Array.from(values), shape) }))['y']!;
  };

  it('rowMean is the mean over the last axis', async () => {
    assert.deepEqual([...Array.from(await evaluate(rowMean, [2, 3], [1, 2, 3, 4, 5, 9]))], [2, 6]);
  });

  it('zeros are zeros in either precision', async () => {
    for (const precision of ['single', 'double'] as const) {
      const graph = new Graph({ precision });
      graph.output('y', zeros(graph, [2, 2]));
      assert.deepEqual(Array.from((await run(graph.toModel(), {}))['y']!), [0, 0, 0, 0]);
    }
  });

  it('unpacked gives the matrix of its blocks', async () => {
    const graph = new Graph();
    graph.output('y', unpacked(graph, quantized(graph)));
    // A product and a sum, each rounded once.
    assertClose((await run(graph.toModel(), {}))['y']!, explicitMatrix(), 2 ** -23, 'elements');
  });

  for (const [about, declared] of [
    ['fixed', [5, 64]],
    ['open', ['rows', 64]],
  ] as const) {
    it(`quantizedMatmul is the product with the explicit matrix to 1e-6 where the number of rows is ${about}`, async () => {
      const x = draw('quantized', 0, 'x', 5 * 64, -2, 2);
      const build = (graph: Graph, operand: Tensor): Tensor => quantizedMatmul(graph, operand, quantized(graph));
      const y = await evaluate(build, [5, 64], x, declared);
      const expected = productWithTransposed(x, explicitMatrix(), 64);
      assert.ok(relativeDistance(y, expected) <= 1e-6, String(relativeDistance(y, expected)));
    });
  }

  it('quantizedMatmul with activations in 8 bits is near it, too, and is not the same', async () => {
    const x = draw('quantized', 0, 'x', 5 * 64, -2, 2);
    const build = (graph: Graph, operand: Tensor): Tensor => quantizedMatmul(graph, operand, quantized(graph), 4);
    const y = await evaluate(build, [5, 64], x);
    const distance = relativeDistance(y, productWithTransposed(x, explicitMatrix(), 64));
    // Half a step of 1/127 of a block's largest activation.
    assert.ok(distance > 1e-6 && distance < 1 / 127, String(distance));
  });

  it('quantizedMatmul unpacks its matrix for the reverse pass when there is a gradient to multiply it by, not before', () => {
    const graph = new Graph();
    const x = graph.input('x', DataType.FLOAT, [5, 64], { differentiable: true });
    const factors = graph.input('factors', DataType.FLOAT, [5, quantized(new Graph()).rows]);
    const loss = sum(graph, multiply(graph, quantizedMatmul(graph, x, quantized(graph)), factors), [0, 1]);
    graph.output('dx', graph.backward(loss, [x])[0]!);
    const { nodes } = graph.toModel();
    const maker = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
    const waitsFor = (name: string, what: string): boolean =>
      name === what || (maker.get(name)?.inputs.some((input) => waitsFor(input, what)) ?? false);
    const unpacking = nodes.filter(({ operator }) => operator === 'DequantizeLinear');
    assert.deepEqual(
      unpacking.map(({ outputs }) => waitsFor(outputs[0]!, 'factors')),
      [false, true],
    );
  });

  it('tokenLogProbabilities are the log-probabilities of explicit logits, their gradients too', async () => {
    const rows = 130;
    const labels = Array.from({ length: rows }, (_, i) => (i * 5) % 7);
    const results = await Promise.all(
      [true, false].map((chunked) => {
        const graph = new Graph();
        const x = graph.input('x', DataType.FLOAT, [rows, 3], { differentiable: true });
        const asked = graph.input('labels', DataType.INT64, [rows]);
        const head = graph.floats(HEAD, [7, 3]);
        const y = chunked
          ? tokenLogProbabilities(graph, x, head, asked)
          : labelLogProbabilities(graph, matmul(graph, x, head, { b: true }), asked);
        const factors = graph.floats(draw('tokens', 0, 'weights', rows, -1, 1));
        graph.output('y', y);
        graph.output('dx', graph.backward(weightedNegativeSum(graph, y, factors), [x])[0]!);
        const values = Float32Array.from(draw('tokens', 0, 'x', rows * 3, -2, 2));
        return run(graph.toModel(), { x: tensor(values, [rows, 3]), labels: indices(labels, [rows]) });
      }),
    );
    const [chunks, explicit] = results as [(typeof results)[0], (typeof results)[0]];
    assertClose(chunks['y']!, Array.from(explicit['y']!), 1e-6, 'log-probabilities');
    assertClose(chunks['dx']!, Array.from(explicit['dx']!), 1e-6, 'gradients');
  });
});

function relativeDistance(actual: ArrayLike<number>, expected: readonly number[]): number {
  const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
  return norm(expected.map((x, i) => actual[i]! - x)) / norm(expected);
}
