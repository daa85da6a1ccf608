import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { decodeTensorFile, encodeTensorFile } from '../../../src/core/training/tensor-file.ts';
import { encodeLinearModel, loadLinearModel, type LinearModelParts } from '../../../src/core/training/linear/model.ts';
import { linearSpec } from '../../../src/core/training/linear/spec.ts';

const parts: LinearModelParts = {
  spec: linearSpec.parse({ name: 'test', analyser: 'word', ngrams: [1, 1], bits: 8, price: 2 }),
  labels: ['no', 'yes'],
  examples: 10,
  problems: [{ bias: 0.5, slope: 1, offset: 0 }],
  buckets: Uint32Array.of(3, 7, 200),
  frequencies: Uint32Array.of(2, 5, 10),
  weights: Float32Array.of(1, -2, 0.25),
};

const refused = (bytes: Uint8Array, why: RegExp): void => {
  assert.throws(
    () => loadLinearModel(bytes),
    (error: unknown) => isChimeraError(error, 'CHIMERA_INVALID_INPUT') && why.test(error.message),
  );
};

describe('tensor files', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 }), { noNullPrototype: true }),
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })),
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true })),
        fc.array(fc.integer({ min: 0, max: 0xffffffff })),
        (extra, f64, f32, u32) => {
          const { tensors: _, ...header } = { ...extra, tensors: 0 };
          const tensors = { a: Float64Array.from(f64), b: Float32Array.from(f32), c: Uint32Array.from(u32) };
          const bytes = encodeTensorFile('TEST', header, tensors);
          const file = decodeTensorFile('TEST', bytes, 'the file');
          assert.deepEqual(Object.fromEntries(file.tensors), tensors);
          assert.deepEqual(encodeTensorFile('TEST', file.header, Object.fromEntries(file.tensors)), bytes);
        },
      ),
    );
  });

  it('are the same bytes whatever the platform is', () => {
    const bytes = encodeTensorFile('TEST', {}, { a: Float32Array.of(1) });
    assert.equal(Buffer.from(bytes.subarray(-4)).toString('hex'), '0000803f');
  });
});

describe('a model file', () => {
  const bytes = encodeLinearModel(parts);

  it('loads', () => {
    const model = loadLinearModel(bytes);
    assert.deepEqual([model.price, model.labels, [...model.margins('')]], [2, ['no', 'yes'], [0.5]]);
  });

  it('is refused at every length but its own', () => {
    for (let length = 0; length < bytes.length; length++)
      refused(bytes.slice(0, length), /the model file is not valid/);
    refused(Uint8Array.of(...bytes, 0), /1 bytes follow/);
  });

  it('never breaks on changed bytes: it loads or is refused', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const changed = bytes.slice();
        changed[at] = byte;
        try {
          loadLinearModel(changed).score('some text');
        } catch (error) {
          assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
        }
      }),
      { numRuns: 500 },
    );
  });

  const changes: [string, Partial<LinearModelParts>, RegExp][] = [
    ['another number of problems', { problems: [] }, /problems/],
    ['a weight missing', { weights: Float32Array.of(1) }, /3 weights are needed/],
    ['a weight that is not a number', { weights: Float32Array.of(1, NaN, 1) }, /holds NaN at 1/],
    ['buckets out of order', { buckets: Uint32Array.of(7, 3, 200) }, /ascend/],
    ['a bucket beyond the table', { buckets: Uint32Array.of(3, 7, 256) }, /within the table/],
    ['a frequency too many', { frequencies: Uint32Array.of(2, 5, 11) }, /larger than the number of examples/],
    ['three labels and one problem', { labels: ['a', 'b', 'c'] }, /1 problems for 3 labels/],
  ];
  for (const [name, change, why] of changes) {
    it(`with ${name} is refused`, () => refused(encodeLinearModel({ ...parts, ...change }), why));
  }

  it('of a foreign kind is refused', () => {
    refused(new TextEncoder().encode('not a model at all'), /does not begin with CHLM/);
    refused(encodeTensorFile('CHLM', { format: 1 }, {}), /spec/);
  });
});
