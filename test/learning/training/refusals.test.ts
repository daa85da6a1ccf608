import assert from 'node:assert/strict';
import { before, describe, it } from 'mocha';
import { baseInMemory } from '../../../src/learning/architecture/base.ts';
import { AdapterTrainer } from '../../../src/learning/training/trainer.ts';
import type { TrainerOptions } from '../../../src/learning/training/types.ts';
import type { Weights } from '../../../src/learning/weights/types.ts';
import { refused } from '../adapters/samples.ts';
import { TINY_ENCODER, tinyWeights } from '../tiny.ts';
import { baseOf, optionsOf, runAll, specOf } from './samples.ts';

const refuse = (options: TrainerOptions, ...reasons: RegExp[]): void =>
  refused(() => AdapterTrainer.create(options), ...reasons);

describe('a training run is refused', () => {
  it('with every reason why specification and base do not fit', () => {
    const options = optionsOf('classification');
    const spec = specOf('causal', { precision: '4bit', maxTokens: 100 });
    refuse({ ...options, spec }, /needs a base that is a decoder/, /takes 64 tokens at most/, /loaded in fp32/);
    refuse({ ...options, spec: { ...options.spec, packing: true } }, /only texts of a causal task can be packed/);
    refuse({ ...options, base: baseOf('causal') }, /encoder/);
    refuse({ ...options, spec: { ...options.spec, targets: ['q_proj'] } }, /no layer named q_proj/);
    refuse({ ...options, spec: { ...options.spec, rank: 0, steps: 0 } }, /\/rank/, /\/steps/);
  });

  it('without examples', () => {
    const options = optionsOf('causal');
    for (const part of ['train', 'validation']) {
      assert.throws(() => AdapterTrainer.create({ ...options, data: { ...options.data, [part]: [] } }), {
        code: 'CHIMERA_NO_DATA',
      });
    }
  });

  it('with examples that are too long, foreign, or have nothing to predict', () => {
    const options = optionsOf('causal', { maxTokens: 8 });
    const rows = (tokens: number[], given: number) => ({ rows: [{ tokens, given }] });
    const train = [rows(Array<number>(9).fill(1), 1), rows([1, 320], 1), rows([1, 2], 2), rows([], 0), { rows: [] }];
    refuse(
      { ...options, data: { ...options.data, train } },
      /\/0: 9 tokens are more than 8/,
      /\/1: it has a token that is none of the base's 320/,
      /\/2: it has nothing to predict/,
      /\/3: it has no tokens/,
      /\/4: a causal example/,
    );
    const labelled = optionsOf('classification');
    const validation = [{ rows: [{ tokens: [1], given: 1 }], label: 2 }];
    refuse({ ...labelled, data: { ...labelled.data, validation } }, /the validation examples/, /there is no label 2/);
  });

  it('that goes on from an adapter that is not what it would train', async () => {
    const options = optionsOf('classification');
    const from = AdapterTrainer.create(options).adapter();
    assert.doesNotThrow(() => AdapterTrainer.create({ ...options, from }));
    const spec = { ...options.spec, rank: 2, alpha: 3, targets: ['key'] };
    const data = { ...options.data, labels: ['a', 'b'] };
    refuse({ ...options, spec, data, from }, /\/rank/, /\/alpha/, /other layers/, /its labels are ham, spam/);
    refuse({ ...options, from: { ...from, base: { name: 'other', sha256: 'ab'.repeat(32) } } }, /another base model/);
  });

  it('that would look more often than its workflow and its checkpoints hold', () => {
    const often = {
      ...optionsOf('classification'),
      spec: { ...optionsOf('classification').spec, steps: 5000, evaluateEvery: 1 },
    };
    refused(() => AdapterTrainer.create(often), /\/evaluateEvery: 5000 steps would be 5000 looks, the limit is 1000/);
  });

  it('once its numbers are none any more, with a clear error', async () => {
    const weights = tinyWeights(TINY_ENCODER);
    const overflowing: Weights = {
      ...weights,
      f32: (name) => (name === 'embeddings.LayerNorm.weight' ? weights.f32(name).map(() => 3e38) : weights.f32(name)),
    };
    const base = baseInMemory('tiny', overflowing, TINY_ENCODER, 'fp32');
    const trainer = AdapterTrainer.create({ ...optionsOf('classification'), base });
    await assert.rejects(runAll(trainer), { code: 'CHIMERA_DIVERGED', message: /loss of step 1/ });
  });
});

describe('a checkpoint is refused', () => {
  const options = optionsOf('causal', { steps: 4, evaluateEvery: 1, patience: 3 });
  let bytes: Uint8Array;
  const resume = (of: TrainerOptions, from: Uint8Array) => AdapterTrainer.resume(of, from);

  before(async () => {
    const trainer = AdapterTrainer.create(options);
    await trainer.step();
    await trainer.step();
    bytes = trainer.checkpoint();
    await trainer.release();
    assert.equal(resume(options, bytes).progress.step, 2);
  });

  it('of another specification, other data or another base', () => {
    refused(() => resume(optionsOf('causal', { steps: 5, evaluateEvery: 1, patience: 3 }), bytes), /another run/);
    const data = { ...options.data, train: options.data.train.slice(1) };
    refused(() => resume({ ...options, data }, bytes), /another run/);
    const base = { ...options.base, sha256: 'ab'.repeat(32) };
    refused(() => resume({ ...options, base }, bytes), /another run/);
  });

  it('that is cut off, foreign or has another header', () => {
    for (let length = 0; length < bytes.length; length += 997) {
      refused(() => resume(options, bytes.slice(0, length)), /the checkpoint is not valid/);
    }
    refused(() => resume(options, Uint8Array.from([...bytes, 0, 0, 0, 0])), /follow its last tensor/);
    refused(() => resume(options, new TextEncoder().encode('CHAD, not a checkpoint')), /does not begin with/);
    const text = new TextDecoder('latin1').decode(bytes);
    const changed = (from: string, to: string): Uint8Array => {
      assert.ok(text.includes(from) && from.length === to.length);
      return Uint8Array.from(text.replace(from, to), (character) => character.charCodeAt(0));
    };
    refused(() => resume(options, changed('"looks"', '"lOoks"')), /\/looks/);
    refused(() => resume(options, changed('"step":2,', '"step":-,')), /not JSON/);
    refused(() => resume(options, changed('"name":"best"', '"name":"bost"')), /tensors are not those of the run/);
    refused(() => resume(options, changed('"format":1', '"format":2')), /\/format/);
  });

  it('of a machine that computes otherwise', () => {
    assert.throws(() => resume({ ...options, threads: 2 }, bytes), { code: 'CHIMERA_NUMERIC_PROFILE' });
  });
});
