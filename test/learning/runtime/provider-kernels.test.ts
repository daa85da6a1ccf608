import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { GraphModel } from '../../../src/learning/onnx/types.ts';
import { KERNELS, operatorsOf, tinyServing, tinyTraining } from './provider-kernels.ts';

const TASKS = ['classification', 'causal', 'preference'] as const;
const PRECISIONS = ['fp32', '4bit'] as const;
const combined = <T>(build: (task: (typeof TASKS)[number], precision: (typeof PRECISIONS)[number]) => T): T[] =>
  TASKS.flatMap((task) => PRECISIONS.map((precision) => build(task, precision)));

/** The operators of some graphs that a graphics card leaves to the processor, whatever their type. */
function left(graphs: readonly GraphModel[], provider: 'cuda' | 'webgpu'): string[] {
  const operators = new Set(graphs.flatMap(operatorsOf));
  const column = provider === 'cuda' ? 0 : 1;
  return [...operators].filter((operator) => KERNELS[operator]![column] === 'none').sort();
}

describe('the operators of graphs on graphics cards', () => {
  const training = (provider: 'cpu' | 'cuda' | 'webgpu') =>
    combined((task, precision) => tinyTraining(task, precision, provider));
  const serving = (family: 'encoder' | 'decoder') => PRECISIONS.map((precision) => tinyServing(family, precision));

  it('are all in the table of kernels', () => {
    const graphs = [...training('cpu'), ...training('cuda'), ...training('webgpu')];
    const used = [...graphs, ...serving('encoder'), ...serving('decoder')].flatMap(operatorsOf);
    assert.deepEqual([...new Set(used)].sort(), Object.keys(KERNELS).sort());
  });

  it('all have kernels on CUDA where a model is trained, and on WebGPU all but the one-hot labels of classifiers', () => {
    assert.deepEqual(left(training('cuda'), 'cuda'), []);
    assert.deepEqual(left(training('webgpu'), 'webgpu'), ['OneHot']);
  });

  it('are left to the processor where a model is served: attention on CUDA, products and shapes on WebGPU', () => {
    assert.deepEqual(left(serving('encoder'), 'cuda'), []);
    assert.deepEqual(left(serving('decoder'), 'cuda'), ['com.microsoft.GroupQueryAttention']);
    assert.deepEqual(left(serving('encoder'), 'webgpu'), ['Range', 'Shape', 'com.microsoft.FusedMatMul']);
    assert.deepEqual(left(serving('decoder'), 'webgpu'), ['com.microsoft.FusedMatMul']);
  });

  it('read and write at most the eight buffers that every WebGPU device has', () => {
    for (const { nodes } of training('webgpu')) {
      for (const { operator, outputs } of nodes) assert.ok(outputs.length <= 7, `${operator} has ${outputs.length}`);
    }
  });

  it('are without the one norm whose kernel on WebGPU leaves an output as it was', () => {
    for (const graph of training('webgpu')) assert.ok(!operatorsOf(graph).includes('SimplifiedLayerNormalization'));
  });
});
