import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { stream } from '../../../src/core/random/random.ts';
import { Graph } from '../../../src/learning/graph/graph.ts';
import { matmul } from '../../../src/learning/graph/ops/matmul.ts';
import { DataType, type GraphModel } from '../../../src/learning/onnx/types.ts';
import { ResidentWeights } from '../../../src/learning/runtime/resident-weights.ts';
import { openSession, tensor, type SessionOptions } from '../../../src/learning/runtime/session.ts';

const SIDE = 256;
const BYTES = 4 * SIDE * SIDE;

describe('weights in memory of the process', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'chimera-weights-'));
    const draws = stream('weights', 0, 0, 'test');
    const values = Float32Array.from({ length: 2 * SIDE * SIDE + SIDE }, () => draws.uniform() - 0.5);
    await writeFile(join(directory, 'weights.bin'), new Uint8Array(values.buffer));
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** x times one matrix of the file, times another, times a row. */
  function model(location = 'weights.bin'): GraphModel {
    const graph = new Graph();
    const x = graph.input('x', DataType.FLOAT, [3, SIDE]);
    const side = [SIDE, SIDE];
    const part = (name: string, offset: number) =>
      graph.initializer(name, DataType.FLOAT, side, { location, offset, length: BYTES });
    const row = { location, offset: 2 * BYTES, length: 4 * SIDE };
    const h = matmul(graph, matmul(graph, x, part('first', 0)), part('second', BYTES), { b: true });
    graph.output('y', graph.node('Mul', [h, graph.initializer('row', DataType.FLOAT, [SIDE], row)], h.shape));
    return graph.toModel();
  }

  async function result(options: SessionOptions): Promise<Float32Array> {
    const session = await openSession(model(), { directory, ...options });
    try {
      const draws = stream('x', 0, 0, 'test');
      const x = Float32Array.from({ length: 3 * SIDE }, () => draws.uniform() - 0.5);
      return (await session.run({ x: tensor(x, [3, SIDE]) }))['y']!.data as Float32Array;
    } finally {
      await session.release();
    }
  }

  it('give what constants of the graph give, to any number of sessions', async () => {
    const constant = await result({});
    const weights = new ResidentWeights(directory);
    for (let i = 0; i < 2; i++) {
      const values = await result({ weights });
      values.forEach((value, at) => assert.ok(Math.abs(value - constant[at]!) <= 1e-5, `${value} ${constant[at]}`));
    }
  });

  it('are the large ones; the small ones stay in the graph', async () => {
    const { rest, inputs } = await new ResidentWeights(directory).apart(model());
    assert.deepEqual(Object.keys(inputs), ['first', 'second']);
    assert.ok(rest.initializers.some(({ name }) => name === 'row'));
    assert.deepEqual(
      rest.inputs.map(({ name }) => name),
      ['x', 'first', 'second'],
    );
  });

  it('are in memory once', async () => {
    const weights = new ResidentWeights(directory);
    const [one, other] = await Promise.all([weights.apart(model()), weights.apart(model())]);
    const buffers = [one, other].flatMap(({ inputs }) =>
      Object.values(inputs).map(({ data }) => (data as Float32Array).buffer),
    );
    assert.equal(new Set(buffers).size, 1);
  });

  const refused = (location: string, why: RegExp): Promise<void> =>
    assert.rejects(new ResidentWeights(directory).apart(model(location)), (error) => {
      assert.ok(isChimeraError(error, 'CHIMERA_SETUP'), String(error));
      assert.match(error.message, why);
      return true;
    });

  it('are refused where their file is missing or cut off', async () => {
    await refused('none.bin', /none\.bin/);
    await truncate(join(directory, 'weights.bin'), 2 * BYTES - 1);
    await refused('weights.bin', /weights\.bin .* fewer than the 524288 bytes/);
  });
});
