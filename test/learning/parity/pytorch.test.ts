import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstGradient, outputs, relativeDistance, train } from '../../../bench/learning/ours.ts';
import { PARITY_CASES, thinned, type Recorded } from './cases.ts';

const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'pytorch.json'), 'utf8')) as Record<
  string,
  Recorded
>;

describe('training against what PyTorch and PEFT computed', () => {
  for (const [name, build] of Object.entries(PARITY_CASES)) {
    describe(name, () => {
      const its = build();
      const theirs = recorded[name]!;

      it('has the loss and the gradient of the first batch', async () => {
        const { loss, gradient } = await firstGradient(its, its.initial);
        assert.ok(Math.abs(loss - theirs.losses[0]!) < 2e-6, `${loss} is not ${theirs.losses[0]}`);
        assert.ok(Math.abs(Math.hypot(...gradient) / theirs.length - 1) < 1e-5);
        const distance = relativeDistance(thinned(gradient), theirs.entries);
        assert.ok(distance < 1e-5, `the gradient is ${distance} off`);
      });

      it('has the loss of every one of 20 steps, and what the adapter answers in the end', async () => {
        const { losses, adapter } = await train(its, its.initial, () => undefined);
        const off = losses.map((loss, step) => Math.abs(loss - theirs.losses[step]!));
        assert.equal(off.length, theirs.losses.length);
        assert.ok(Math.max(...off) < 1e-4, `losses are ${Math.max(...off)} off`);
        const answers = await outputs(its, adapter);
        const distance = relativeDistance(its.data.labels.length > 0 ? answers : thinned(answers), theirs.outputs);
        assert.ok(distance < 1e-3, `answers are ${distance} off`);
      });
    });
  }

  it('gives packed texts the loss and the gradient of texts of their own', async () => {
    const its = PARITY_CASES['causal']!();
    const rows = { ...its, spec: { ...its.spec, maxTokens: 64 } };
    const packed = { ...its, spec: { ...its.spec, maxTokens: 64, packing: true } };
    const [apart, together] = [await firstGradient(rows, its.initial), await firstGradient(packed, its.initial)];
    assert.ok(Math.abs(apart.loss - together.loss) < 2e-6);
    assert.ok(relativeDistance(together.gradient, apart.gradient) < 1e-5);
  });
});
