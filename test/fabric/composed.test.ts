import assert from 'node:assert/strict';
import { compileGenome } from '../../src/core/evolution/compile.ts';
import type { Genome } from '../../src/core/evolution/genome.ts';
import { encodeLinearModel, loadLinearModel } from '../../src/core/training/linear/model.ts';
import { LINEAR_VARIANTS } from '../../src/core/training/linear/spec.ts';
import type { TaskTypeRef } from '../../src/fabric/index.ts';
import { createFabric } from '../../src/fabric/index.ts';
import type { Fabric } from '../../src/fabric/index.ts';
import { MANIFEST, sha256 } from './harness.ts';

const LABELS = ['ham', 'spam'];
const MODEL = encodeLinearModel({
  spec: LINEAR_VARIANTS[0]!,
  labels: LABELS,
  examples: 100,
  problems: [{ bias: 0.25, slope: 1, offset: 0 }],
  buckets: Uint32Array.from({ length: 1 << 17 }, (_, i) => 2 * i),
  frequencies: new Uint32Array(1 << 17).fill(3),
  weights: Float32Array.from({ length: 1 << 17 }, (_, i) => ((i * 2654435761) % 1000) / 100 - 5),
});

const GENOME: Genome = {
  labels: LABELS,
  rules: [{ when: [{ feature: 0, op: '>', threshold: 3 }], then: { label: 'spam' } }],
  otherwise: { ask: true },
  default: 'ham',
  model: { name: 'm', input: '/text', score: 1, threshold: 0.5, positive: 'spam', negative: 'ham' },
};

const TYPE: TaskTypeRef = {
  preprocess: [],
  features: [{ name: 'shouts', kind: 'substring', field: 'text', substring: '!' }],
  output: { type: 'object', properties: { label: { enum: LABELS } }, required: ['label'] },
};

describe('fabric, composed', function () {
  this.timeout(60_000);
  let fabric: Fabric;
  const module = compileGenome(GENOME);
  const blobs = new Map([module, MODEL].map((bytes) => [sha256(bytes), bytes]));
  const agent = {
    sha256: sha256(module),
    manifest: { ...MANIFEST, capabilities: ['infer' as const], models: { m: sha256(MODEL) } },
  };
  before(() => (fabric = createFabric({ poolSize: 2, resolve: async (name) => blobs.get(name)! })));
  after(() => fabric.close());

  it('runs a compiled genome with a linear model on payloads that it prepares', async () => {
    const texts = ['cheap pills now', 'see you at the meeting', 'buy!!!! now!!!!', ''];
    const items = texts.map((text, index) => ({ key: String(index), seed: 1n, payload: { text } }));
    const results = await fabric.run({ agent, taskType: TYPE, items });
    const model = loadLinearModel(MODEL);
    results.forEach((result, index) => {
      assert.ok('record' in result, JSON.stringify(result));
      const shouted = index === 2;
      assert.equal(result.features[0], texts[index]!.split('!').length - 1);
      const expected = shouted || model.score(texts[index]!)[1]! >= 0.5 ? 'spam' : 'ham';
      assert.equal((result.record.output as { label: string }).label, expected, result.record.reason?.message);
      assert.equal(result.record.modelCalls, shouted ? 0 : 1);
    });
  });

  it('refuses outputs that the output schema does not accept', async () => {
    const taskType = { ...TYPE, output: { type: 'string' } };
    const prepared = { payload: { text: 'x' }, features: Float64Array.of(9) };
    const [result] = await fabric.run({ agent, taskType, items: [{ key: 'a', seed: 1n, prepared }] });
    assert.ok(result !== undefined && 'record' in result);
    assert.equal(result.record.reason?.code, 'bad-output');
  });
});
