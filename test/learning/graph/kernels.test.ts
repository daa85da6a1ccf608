import assert from 'node:assert/strict';
import { adapterSpec } from '../../../src/contracts/adapters.ts';
import { baseInMemory } from '../../../src/learning/architecture/base.ts';
import { trainingGraph } from '../../../src/learning/training/graphs.ts';
import { layoutOf } from '../../../src/learning/training/trainables.ts';
import { TINY_DECODER, TINY_ENCODER, tinyWeights } from '../tiny.ts';

type Task = 'classification' | 'causal' | 'preference';
type Precision = 'fp32' | '4bit';

/** The operators of a graph that trains, `com.microsoft.` before the runtime's own. */
function operatorsOf(task: Task, precision: Precision): string[] {
  const config = task === 'classification' ? TINY_ENCODER : TINY_DECODER;
  const labels = task === 'classification' ? 2 : 0;
  const targets = task === 'classification' ? ['query', 'output.dense'] : ['q_proj', 'down_proj'];
  const spec = adapterSpec.parse({
    ...{ kind: 'adapter', name: 'tiny', base: 'tiny', precision, task, rank: 2, targets },
    ...{ dropout: 0.25, learningRate: 0.01 },
  });
  const base = baseInMemory('tiny', tinyWeights(config), config, precision);
  // More tokens are predicted than one chunk of the loss has.
  const bucket = { batch: 2, length: 80, predicted: 100 };
  const layout = layoutOf(config, spec, labels);
  const { nodes } = trainingGraph({ base, spec, layout, labels, bucket, training: true });
  return [...new Set(nodes.map(({ domain, operator }) => (domain === '' ? operator : `${domain}.${operator}`)))].sort();
}

const COMMON = [
  ...['Add', 'Cast', 'Concat', 'Exp', 'Gather', 'GatherElements', 'Identity', 'LogSoftmax', 'MatMul', 'Mul', 'Neg'],
  ...['ReduceMean', 'ReduceSum', 'Reshape', 'Slice', 'Softmax', 'Split', 'Sub', 'Transpose'],
  'com.microsoft.FusedMatMul',
];
const ENCODER = ['Div', 'Erf', 'Expand', 'LayerNormalization', 'OneHot', 'com.microsoft.Gelu'];
const DECODER = [
  ...['ConstantOfShape', 'Equal', 'Pad', 'ScatterND', 'Sigmoid', 'SimplifiedLayerNormalization', 'Unsqueeze'],
];
const BLOCKS = ['DequantizeLinear'];

/*
 * What a provider must have kernels for: it computes anything else on the processor, and copies operands there and back.
 */
describe('the operators of training graphs', () => {
  for (const [precision, more] of [
    ['fp32', []],
    ['4bit', BLOCKS],
  ] as const) {
    const all = (own: readonly string[]): string[] => [...COMMON, ...own, ...more].sort();

    it(`are these where a classifier is trained beside a base in ${precision}`, () =>
      assert.deepEqual(operatorsOf('classification', precision), all(ENCODER)));

    it(`are these where texts are learned beside a base in ${precision}`, () =>
      assert.deepEqual(operatorsOf('causal', precision), all(DECODER)));

    it(`are these where preferences are learned beside a base in ${precision}`, () =>
      assert.deepEqual(operatorsOf('preference', precision), all([...DECODER, 'Softplus'])));
  }
});
