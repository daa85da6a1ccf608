import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { AdapterSpec } from '../../../src/contracts/adapters.ts';
import { openSession, tensor, type Values } from '../../../src/learning/runtime/session.ts';
import type { Provider } from '../../../src/learning/runtime/provider.ts';
import { dropoutInputs, examplesAt, microBatch } from '../../../src/learning/training/batches.ts';
import { trainingGraph } from '../../../src/learning/training/graphs.ts';
import { initialValues, layoutOf } from '../../../src/learning/training/trainables.ts';
import { optionsOf } from '../training/samples.ts';

/** Loss and gradient of the first batch by a graph that is written for a provider; the processor runs them all. */
async function firstStep(task: AdapterSpec['task'], precision: AdapterSpec['precision'], provider: Provider) {
  const { base, spec, data } = optionsOf(task, { precision, dropout: 0.25 });
  const labels = data.labels.length;
  const layout = layoutOf(base.config, spec, labels);
  const { bucket, inputs } = microBatch(examplesAt(data.train, spec, 0, 0), spec, spec.batch);
  const session = await openSession(trainingGraph({ base, spec, layout, labels, bucket, training: true, provider }));
  // No part is zero: else half of the gradients would be.
  const parameters = initialValues(layout, 'providers').map((value, i) => value + 0.1 * Math.sin(i));
  const rows = 2 * bucket.batch;
  const reference: Values = task === 'preference' ? { reference: tensor(new Float32Array(rows).fill(-5), [rows]) } : {};
  const { loss, gradient } = await session.run({
    ...inputs,
    ...dropoutInputs(base.config, spec, layout, bucket, 0, 0),
    ...reference,
    parameters: tensor(parameters, [layout.size]),
  });
  await session.release();
  return { loss: loss!.data[0] as number, gradient: gradient!.data as Float32Array };
}

describe('a training graph that is written for WebGPU', () => {
  for (const task of ['classification', 'causal', 'preference'] as const) {
    for (const precision of ['fp32', '4bit'] as const) {
      it(`computes the same loss and gradient: ${task} beside a base in ${precision}`, async () => {
        const expected = await firstStep(task, precision, 'cpu');
        const actual = await firstStep(task, precision, 'webgpu');
        assert.ok(Math.abs(actual.loss - expected.loss) <= 1e-6 * Math.abs(expected.loss));
        const difference = Math.hypot(...expected.gradient.map((value, i) => value - actual.gradient[i]!));
        const length = Math.hypot(...expected.gradient);
        assert.ok(length > 0 && difference <= 3e-6 * length, `${difference} of ${length}`);
      });
    }
  }
});
