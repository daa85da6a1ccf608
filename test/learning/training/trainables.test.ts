import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { stream } from '../../../src/core/random/random.ts';
import { encodeAdapter } from '../../../src/learning/adapters/file.ts';
import { initialValues, layoutOf, toAdapter, toVector } from '../../../src/learning/training/trainables.ts';
import { refused } from '../adapters/samples.ts';
import { TINY_DECODER, TINY_ENCODER } from '../tiny.ts';
import { baseOf, LABELS, specOf } from './samples.ts';

describe('what is trained', () => {
  const spec = specOf('classification', { targets: ['value', 'query'], rank: 3 });
  const layout = layoutOf(TINY_ENCODER, spec, LABELS.length);

  it('lies in one vector: A and B of each layer in the order of names, then the head', () => {
    const modules = [0, 1].flatMap((layer) =>
      ['query', 'value'].map((name) => `encoder.layer.${layer}.attention.self.${name}`),
    );
    assert.deepEqual(layout.modules, modules);
    const names = modules.flatMap((module) => [`${module}.lora_A`, `${module}.lora_B`]);
    assert.deepEqual(
      layout.slots.map(({ name }) => name),
      [...names, 'head.weight', 'head.bias'],
    );
    let offset = 0;
    for (const slot of layout.slots) {
      assert.equal(slot.offset, offset);
      offset += slot.size;
    }
    assert.equal(layout.size, offset);
    assert.equal(layout.size, 4 * (3 * 32 + 32 * 3) + 2 * 32 + 2);
  });

  it('is of the shape of each layer', () => {
    const shapes = Object.fromEntries(
      layoutOf(TINY_DECODER, { targets: ['k_proj', 'down_proj'], rank: 2 }, 0).slots.map(({ name, shape }) => [
        name.replace('model.layers.', ''),
        shape,
      ]),
    );
    assert.deepEqual(shapes['1.self_attn.k_proj.lora_A'], [2, 64]);
    assert.deepEqual(shapes['1.self_attn.k_proj.lora_B'], [32, 2]);
    assert.deepEqual(shapes['0.mlp.down_proj.lora_A'], [2, 96]);
    assert.deepEqual(shapes['0.mlp.down_proj.lora_B'], [64, 2]);
  });

  it('is only the head where no layer is named, and one layer where its whole name is', () => {
    assert.deepEqual(layoutOf(TINY_ENCODER, { targets: [], rank: 3 }, 2).modules, []);
    const one = 'encoder.layer.1.attention.self.key';
    assert.deepEqual(layoutOf(TINY_ENCODER, { targets: [one], rank: 3 }, 2).modules, [one]);
  });

  it('is refused where there is no such layer, each named, or nothing at all', () => {
    refused(
      () => layoutOf(TINY_ENCODER, { targets: ['q_proj', 'query', 'uery'], rank: 3 }, 2),
      /no layer named q_proj/,
      /no layer named uery/,
    );
    refused(() => layoutOf(TINY_DECODER, { targets: [], rank: 3 }, 0), /nothing would be trained/);
  });

  it('begins within the bounds of its layers, and with no update', () => {
    const values = initialValues(layout, 'a');
    for (const { name, shape, offset, size } of layout.slots) {
      const own = values.subarray(offset, offset + size);
      if (name.endsWith('lora_B')) {
        assert.ok(own.every((value) => value === 0));
        continue;
      }
      const bound = 1 / Math.sqrt(name === 'head.bias' ? 32 : shape[1]!);
      assert.ok(own.every((value) => Math.abs(value) <= bound));
      if (size < 50) continue;
      assert.ok(Math.max(...own) > 0.8 * bound && Math.min(...own) < -0.8 * bound, name);
    }
    assert.deepEqual(initialValues(layout, 'a'), values);
    assert.notDeepEqual(initialValues(layout, 'b'), values);
  });

  it('comes back from the adapter that it makes', () => {
    const draws = stream('vector', 0, 0, 'tests');
    const values = Float32Array.from({ length: layout.size }, () => draws.uniform() - 0.5);
    const adapter = toAdapter(baseOf('classification'), spec, layout, values, LABELS);
    assert.deepEqual(adapter.head!.labels, LABELS);
    assert.deepEqual(toVector(adapter, layout), values);
    assert.doesNotThrow(() => encodeAdapter(adapter));
  });
});
