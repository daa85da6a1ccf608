import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { float, Graph, type Tensor } from '../../../src/learning/graph/graph.ts';
import { softmax } from '../../../src/learning/graph/ops/softmax.ts';
import { encodeModel } from '../../../src/learning/onnx/encode.ts';
import { MessageWriter } from '../../../src/learning/onnx/protobuf.ts';
import { DataType, type Attribute, type ExternalData, type GraphModel } from '../../../src/learning/onnx/types.ts';
import { openSession, tensor, type Values } from '../../../src/learning/runtime/session.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('protobuf messages', () => {
  const varints: readonly (readonly [value: number, encoded: string])[] = [
    [0, '00'],
    [1, '01'],
    [127, '7f'],
    [128, '8001'],
    [300, 'ac02'],
    [2 ** 31 - 1, 'ffffffff07'],
    [2 ** 32, '8080808010'],
    [2 ** 53 - 1, 'ffffffffffffff0f'],
    [2 ** 53, '8080808080808010'],
    [-1, 'ffffffffffffffffff01'],
    [-128, '80ffffffffffffffff01'],
    [-(2 ** 63), '80808080808080808001'],
  ];
  for (const [value, encoded] of varints) {
    it(`write ${value} as ${encoded}`, () => {
      assert.equal(hex(new MessageWriter().int(1, value).finish()), `08${encoded}`);
    });
  }

  it('write the number of a field above 15 in two bytes', () => {
    assert.equal(hex(new MessageWriter().int(20, 7).finish()), 'a00107');
  });

  it('refuse a number that is not whole', () => {
    assert.throws(() => new MessageWriter().int(1, 0.5), RangeError);
  });

  it('write floats little-endian, texts as UTF-8, and messages with their length', () => {
    const bytes = new MessageWriter()
      .float(2, -1.5)
      .message(3, (inner) => inner.string(1, 'é').message(2, () => undefined))
      .finish();
    assert.equal(hex(bytes), '150000c0bf' + '1a06' + '0a02c3a9' + '1200');
  });
});

describe('models in bytes', () => {
  it('are the bytes that onnx.proto says', () => {
    const node = { operator: 'Neg', domain: '', inputs: ['x'], outputs: ['y'], attributes: {} };
    const value = { type: DataType.FLOAT, shape: ['n', 2] };
    const bytes = encodeModel({
      ...{ nodes: [node], initializers: [] },
      ...{ inputs: [{ name: 'x', ...value }], outputs: [{ name: 'y', ...value }] },
    });
    const type = '120f0a0d080112090a0312016e0a020802';
    const graph = `0a0b0a017812017922034e6567120567726170685a140a0178${type}62140a0179${type}`;
    const opsets = '4204' + '0a00' + '1015' + '4211' + '0a0d' + hex(Buffer.from('com.microsoft')) + '1001';
    const size = (graph.length / 2).toString(16);
    assert.equal(hex(bytes), `080a12076368696d6572613a${size}${graph}${opsets}`);
  });

  it('are the same for the same calls, byte for byte', () => {
    const build = (change = 1): Uint8Array => {
      const graph = new Graph();
      const x = graph.input('x', graph.float, [2, 3], { differentiable: true });
      const y = softmax(graph, graph.node('Mul', [x, graph.scalar(change)], x.shape));
      graph.output('y', y);
      return encodeModel(graph.toModel());
    };
    assert.equal(hex(build()), hex(build()));
    assert.notEqual(hex(build()), hex(build(2)));
  });
});

/** One node over x, FLOAT [2, 2]. */
function nodeOf(
  operator: string,
  attributes: Record<string, Attribute>,
  more: (graph: Graph) => Tensor[] = () => [],
): GraphModel {
  const graph = new Graph();
  const x = graph.input('x', DataType.FLOAT, [2, 2]);
  graph.output('y', graph.node(operator, [x, ...more(graph)], [2, 2], { attributes }));
  return graph.toModel();
}

async function result(model: GraphModel, directory?: string): Promise<number[]> {
  const session = await openSession(model, directory === undefined ? {} : { directory });
  try {
    const fed: Values = model.inputs.length === 0 ? {} : { x: tensor(Float32Array.of(1, -2, 3, -4), [2, 2]) };
    return [...((await session.run(fed))['y']!.data as Float32Array)];
  } finally {
    await session.release();
  }
}

describe('attributes reach the runtime', () => {
  it('a FLOAT, whole or not', async () => {
    assert.deepEqual(await result(nodeOf('LeakyRelu', { alpha: float(0.5) })), [1, -1, 3, -2]);
    assert.deepEqual(await result(nodeOf('LeakyRelu', { alpha: float(2) })), [1, -4, 3, -8]);
  });

  it('an INT, negative ones too', async () => {
    const along = (axis: number): GraphModel => nodeOf('CumSum', { reverse: axis }, (g) => [g.integers([-1], [])]);
    assert.deepEqual(await result(along(0)), [1, -1, 3, -1]);
    assert.deepEqual(await result(along(1)), [-1, -2, -1, -4]);
    const both = await Promise.all([-1, -2].map((axis) => result(nodeOf('Hardmax', { axis }))));
    assert.deepEqual(both, [
      [1, 0, 1, 0],
      [0, 1, 1, 0],
    ]);
  });

  it('a STRING', async () => {
    const add = nodeOf('ScatterND', { reduction: 'add' }, (g) => [g.integers([0], [1, 1]), g.floats([10, 20], [1, 2])]);
    assert.deepEqual(await result(add), [11, 18, 3, -4]);
  });

  it('INTS', async () => {
    assert.deepEqual(await result(nodeOf('Transpose', { perm: [1, 0] })), [1, 3, -2, -4]);
  });

  it('a TENSOR', async () => {
    const graph = new Graph();
    const data = new Uint8Array(Float32Array.of(2.5).buffer);
    const value = { tensor: { name: 'value', type: DataType.FLOAT, shape: [1], data } };
    graph.output('y', graph.node('ConstantOfShape', [graph.integers([2])], [2], { type: 1, attributes: { value } }));
    assert.deepEqual(await result(graph.toModel()), [2.5, 2.5]);
  });
});

describe('graphs that refer to files', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'chimera-graph-'));
    await writeFile(join(directory, 'weights.bin'), new Uint8Array(Float32Array.of(1, 2, 3, 4, 5).buffer));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const negated = (data: ExternalData): GraphModel => {
    const graph = new Graph();
    const size = [2];
    graph.output('y', graph.node('Neg', [graph.initializer('w', DataType.FLOAT, size, data)], size));
    return graph.toModel();
  };
  const at = (offset: number, location = 'weights.bin'): GraphModel => negated({ location, offset, length: 8 });

  it('read their tensors at their offsets', async () => {
    assert.deepEqual(await result(at(0), directory), [-1, -2]);
    assert.deepEqual(await result(at(12), directory), [-4, -5]);
  });

  it('leave nothing beside the files', async () => {
    const sessions = await Promise.all([1, 2, 3, 4].map(() => openSession(at(4), { directory })));
    for (const session of sessions) await session.release();
    assert.deepEqual(await readdir(directory), ['weights.bin']);
  });

  const refused = async (model: GraphModel, why: RegExp, where?: string): Promise<void> => {
    await assert.rejects(openSession(model, where === undefined ? {} : { directory: where }), (error) => {
      assert.ok(isChimeraError(error, 'CHIMERA_SETUP'), String(error));
      assert.match(error.message, /^a graph on cpu cannot be set up: /);
      assert.match(error.message, why);
      return true;
    });
  };

  it('are refused with the name of a file that is missing', () => refused(at(0, 'none.bin'), /none\.bin/, directory));

  it('are refused where a tensor goes on after the end of its file', () => refused(at(16), /\bw\b/, directory));

  it('are refused where a tensor and its bytes differ in size', () =>
    refused(negated({ location: 'weights.bin', offset: 0, length: 4 }), /\bw\b/, directory));

  it('are refused where a file lies elsewhere', () => refused(at(0, '../weights.bin'), /escapes/, directory));

  it('are refused where their folder is none', () =>
    refused(at(0), /does not exist/, join(directory, 'weights.bin', 'folder')));

  it('are refused with the name of an operator that the runtime does not have', () =>
    refused(nodeOf('Nonsense', {}), /Nonsense/));
});
