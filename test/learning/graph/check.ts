import assert from 'node:assert/strict';
import { stream } from '../../../src/core/random/random.ts';
import { Graph, type Tensor } from '../../../src/learning/graph/graph.ts';
import { DataType, type GraphModel } from '../../../src/learning/onnx/types.ts';
import { indices, openSession, tensor, type Values } from '../../../src/learning/runtime/session.ts';

/* Gradients of operators against finite differences. */

/** What an operator is applied to: numbers of a range, or indices. */
export interface Operand {
  readonly shape: readonly number[];
  /** Indices, which have no gradient; absent: numbers that are drawn. */
  readonly indices?: readonly number[];
  readonly from?: number;
  readonly to?: number;
}

export const drawn = (shape: readonly number[], from = -2, to = 2): Operand => ({ shape, from, to });

export interface Check {
  /** The function's name. */
  readonly operator: string;
  /** What of it is looked at. */
  readonly about: string;
  readonly operands: readonly Operand[];
  /** Applies the operator; every output that something depends on. */
  readonly build: (graph: Graph, operands: readonly Tensor[]) => Tensor | readonly Tensor[];
  /** The same function in plain double precision, for operators whose kernels the runtime has in single precision only. */
  readonly reference?: (operands: readonly Float64Array[]) => readonly number[];
}

type Outputs = readonly ArrayLike<number>[];

/**
 * h of the central difference (f(x + h) − f(x − h)) / 2h. Near the cube root of the precision of doubles, both its errors, h² f‴ / 6
 * and 2⁻⁵³ |f| / h, are about 1e-11 for numbers about one.
 */
const STEP = 2 ** -17;
/** A hundred times those errors, and more, for the sums of many of them. */
const DIFFERENCE_TOLERANCE = 1e-8;
/** The rounding of 2⁻²⁴ of single precision, over the handful of nodes and sums of up to a hundred terms of a check. */
const SINGLE_TOLERANCE = 4e-6;

/**
 * Compares the gradients of Σ c · y, with random c, with finite differences in double precision: the double graph's, if the runtime
 * has the kernels, or else the reference's, and the single graph's. Throws AssertionError where one is off.
 */
export async function checkGradients(check: Check): Promise<void> {
  const values = check.operands.map((operand, i) => numbers(check, i, operand));
  const { outputs, release } = await evaluator(check);
  const y = await outputs(values);
  const cotangents = y.map(({ length }, i) => draw(`${check.operator} ${check.about}`, i, 'cotangents', length, -1, 1));
  const loss = async (at: readonly Float64Array[]): Promise<number> => weighted(await outputs(at), cotangents);

  const expected: number[][] = [];
  for (const [i, operand] of check.operands.entries()) {
    if (operand.indices === undefined) expected.push(await differences(loss, values, i));
  }
  await release();
  if (check.reference === undefined) {
    const double = await gradients(check, 'double', values, cotangents);
    double.forEach((gradient, i) => assertClose(gradient, expected[i]!, DIFFERENCE_TOLERANCE, `gradient ${i}, double`));
  }
  const single = await gradients(check, 'single', values, cotangents);
  single.forEach((gradient, i) => assertClose(gradient, expected[i]!, SINGLE_TOLERANCE, `gradient ${i}, single`));
  const forward = await run(forwardGraph(check, 'single'), feeds(check, 'single', values));
  y.forEach((of, i) => assertClose(forward[`y/${i}`]!, of, SINGLE_TOLERANCE, `output ${i}, single`));
}

/** Largest difference at most `tolerance` of the largest number, or of one. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  assert.equal(actual.length, expected.length, `${what}: number of elements`);
  const size = Array.from(expected).reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  Array.from(actual).forEach((x, i) => {
    // Also where x is not a number.
    if (!(Math.abs(x - expected[i]!) <= tolerance * size)) {
      assert.fail(`${what}: element ${i} is ${x}, expected ${expected[i]!} within ${tolerance * size}`);
    }
  });
}

export function draw(
  seed: string,
  index: number,
  purpose: string,
  count: number,
  from: number,
  to: number,
): Float64Array {
  const draws = stream(seed, 0, index, purpose);
  // Single and double graphs see the same numbers.
  return Float64Array.from({ length: count }, () => Math.fround(from + (to - from) * draws.uniform()));
}

function numbers(check: Check, i: number, { shape, indices: given, from, to }: Operand): Float64Array {
  const size = shape.reduce((a, b) => a * b, 1);
  if (given !== undefined) return Float64Array.from(given);
  return draw(`${check.operator} ${check.about}`, i, 'operands', size, from!, to!);
}

const weighted = (outputs: Outputs, cotangents: Outputs): number =>
  outputs.reduce((sum, y, i) => sum + Array.from(y).reduce((part, x, at) => part + x * cotangents[i]![at]!, 0), 0);

async function differences(
  loss: (at: readonly Float64Array[]) => Promise<number>,
  values: readonly Float64Array[],
  operand: number,
): Promise<number[]> {
  const moved = async (at: number, by: number): Promise<number> =>
    loss(values.map((all, i) => (i === operand ? all.map((x, place) => (place === at ? x + by : x)) : all)));
  const gradient: number[] = [];
  for (let at = 0; at < values[operand]!.length; at++) {
    gradient.push(((await moved(at, STEP)) - (await moved(at, -STEP))) / (2 * STEP));
  }
  return gradient;
}

interface Evaluator {
  /** The outputs at values of the operands, in double precision. */
  readonly outputs: (values: readonly Float64Array[]) => Promise<Outputs>;
  readonly release: () => Promise<void>;
}

async function evaluator(check: Check): Promise<Evaluator> {
  const { reference } = check;
  if (reference !== undefined) {
    return { outputs: async (values) => [reference(values)], release: () => Promise.resolve() };
  }
  const session = await openSession(forwardGraph(check, 'double'));
  return {
    outputs: async (values) => {
      const outputs = await session.run(feeds(check, 'double', values));
      return Object.keys(outputs).map((_, i) => outputs[`y/${i}`]!.data as Float64Array);
    },
    release: () => session.release(),
  };
}

type Precision = 'single' | 'double';

function forwardGraph(check: Check, precision: Precision): GraphModel {
  const graph = new Graph({ precision });
  outputsOf(check, graph, false).y.forEach((tensor, i) => graph.output(`y/${i}`, tensor));
  return graph.toModel();
}

function outputsOf(check: Check, graph: Graph, differentiable: boolean) {
  const operands = check.operands.map(({ shape, indices: given }, i) =>
    given === undefined
      ? graph.input(`x/${i}`, graph.float, shape, { differentiable })
      : graph.input(`x/${i}`, DataType.INT64, shape),
  );
  const y = check.build(graph, operands);
  return { operands, y: Array.isArray(y) ? (y as readonly Tensor[]) : [y as Tensor] };
}

async function gradients(
  check: Check,
  precision: Precision,
  values: readonly Float64Array[],
  cotangents: readonly Float64Array[],
): Promise<ArrayLike<number>[]> {
  const graph = new Graph({ precision });
  const { operands, y } = outputsOf(check, graph, true);
  // Σ c · y, whose gradient is c: by hand, so that no operator under test takes part in it.
  const loss = { ...graph.scalar(0), differentiable: true };
  const seeds = y.map(({ shape }, i) => graph.input(`c/${i}`, graph.float, shape));
  graph.record([loss], () => y.forEach((tensor, i) => graph.accumulate(tensor, seeds[i]!)));
  const wanted = operands.filter(({ differentiable }) => differentiable);
  graph.backward(loss, wanted).forEach((gradient, i) => {
    const { shape } = wanted[i]!;
    assert.deepEqual(gradient.shape, shape, 'a gradient has the shape of its tensor');
    graph.output(`g/${i}`, gradient);
  });
  const seeded = Object.fromEntries(
    cotangents.map((c, i) => [`c/${i}`, floats(precision, c, y[i]!.shape as number[])]),
  );
  const outputs = await run(graph.toModel(), { ...feeds(check, precision, values), ...seeded });
  return wanted.map((_, i) => outputs[`g/${i}`]!);
}

const floats = (precision: Precision, values: ArrayLike<number>, shape: readonly number[]) =>
  tensor(precision === 'double' ? Float64Array.from(values) : Float32Array.from(values), shape);

const feeds = ({ operands }: Check, precision: Precision, values: readonly Float64Array[]): Values =>
  Object.fromEntries(
    operands.map(({ shape, indices: given }, i) => [
      `x/${i}`,
      given === undefined ? floats(precision, values[i]!, shape) : indices(given, shape),
    ]),
  );

/** Runs a graph once: its outputs' numbers by their names. */
export async function run(model: GraphModel, inputs: Values): Promise<Record<string, ArrayLike<number>>> {
  const session = await openSession(model);
  try {
    const outputs = await session.run(inputs);
    return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data as Float64Array]));
  } finally {
    await session.release();
  }
}
