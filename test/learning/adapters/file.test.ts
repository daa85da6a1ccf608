import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { decodeTensorFile, encodeTensorFile } from '../../../src/core/training/tensor-file.ts';
import { fitProblems } from '../../../src/learning/adapters/check.ts';
import { decodeAdapter, encodeAdapter } from '../../../src/learning/adapters/file.ts';
import type { Adapter } from '../../../src/learning/adapters/types.ts';
import { TINY_DECODER, TINY_ENCODER } from '../tiny.ts';
import { refused, sampleAdapter } from './samples.ts';

const QUERY = 'encoder.layer.0.attention.self.query';
const DENSE = 'encoder.layer.1.output.dense';
const adapter = sampleAdapter(TINY_ENCODER, 'file', { modules: [QUERY, DENSE], labels: ['no', 'yes'] });
const decoder = sampleAdapter(TINY_DECODER, 'file', { modules: ['model.layers.0.mlp.up_proj'], rankStabilised: true });
const head = adapter.head!;

const withTarget = (change: Partial<Adapter['targets'][number]>): Adapter => ({
  ...adapter,
  targets: [{ ...adapter.targets[0]!, ...change }, adapter.targets[1]!],
});
const nan = (data: Float32Array): Float32Array => Float32Array.of(NaN, ...data.subarray(1));

describe('an adapter file', () => {
  it('comes back as it was written, and is then the same bytes', () => {
    for (const one of [adapter, decoder]) {
      const bytes = encodeAdapter(one);
      assert.deepEqual(decodeAdapter(bytes), one);
      assert.deepEqual(encodeAdapter(decodeAdapter(bytes)), bytes);
    }
  });

  it('is refused at every length but its own', () => {
    const bytes = encodeAdapter(decoder);
    for (let length = 0; length < bytes.length; length += 7) refused(() => decodeAdapter(bytes.subarray(0, length)));
    refused(() => decodeAdapter(Uint8Array.of(...bytes, 0)), /1 bytes follow/);
  });

  it('never breaks on changed bytes: it loads or is refused', () => {
    const bytes = encodeAdapter(adapter);
    // Most of the file is values, most of what can go wrong is in the header.
    const place = fc.oneof(fc.nat(1200), fc.nat(bytes.length - 1));
    fc.assert(
      fc.property(fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 3 }), (changes) => {
        const changed = bytes.slice();
        for (const [at, byte] of changes) changed[at] = byte;
        try {
          encodeAdapter(decodeAdapter(changed));
        } catch (error) {
          assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });

  const wrong: [string, Adapter, ...RegExp[]][] = [
    [
      'a rank that is not a size',
      { ...adapter, rank: 0 },
      /\/rank: 0 is not/,
      /query\/a: 64 values do not make \[0, 32\]/,
    ],
    ['an alpha that is not positive', { ...adapter, alpha: 0 }, /\/alpha: 0 is not/],
    ['a base without a hash', { ...adapter, base: { name: '', sha256: 'x' } }, /\/base\/sha256/, /\/base\/name/],
    [
      'a value that is not a number',
      withTarget({ a: nan(adapter.targets[0]!.a) }),
      /query\/a: holds a value that is not finite/,
    ],
    ['a matrix too short', withTarget({ b: new Float32Array(3) }), /query\/b: 3 values do not make \[32, 2\]/],
    ['a shape that is none', withTarget({ inputs: 1.5 }), /query: \[32, 1.5\] is not the shape/],
    ['a layer whose name is none', withTarget({ module: 'a..b' }), /a\.\.b: is not the name/],
    ['layers out of order', { ...adapter, targets: adapter.targets.toReversed() }, /in the order of their names/],
    ['a layer twice', { ...adapter, targets: [adapter.targets[0]!, adapter.targets[0]!] }, /each once/],
    ['nothing in it', { ...decoder, targets: [] }, /neither updates nor a head/],
    ['one label', { ...adapter, head: { ...head, labels: ['no'] } }, /labels: must be 2 to 1000/, /bias: 2 values/],
    ['a label twice', { ...adapter, head: { ...head, labels: ['no', 'no'] } }, /labels: must be 2 to 1000, each once/],
    ['an empty label', { ...adapter, head: { ...head, labels: ['', 'no'] } }, /a text of 1 to 200/],
    ['half a character as a label', { ...adapter, head: { ...head, labels: ['\ud800', 'no'] } }, /a text of 1 to 200/],
    ['a head of broken rows', { ...adapter, head: { ...head, weight: new Float32Array(63) } }, /63 values are no rows/],
    ['a head that is not finite', { ...adapter, head: { ...head, weight: nan(head.weight) } }, /head\/weight: holds/],
    ['a head on a decoder', { ...decoder, head }, /a causal adapter has no head/],
  ];
  for (const [name, one, ...reasons] of wrong) {
    it(`with ${name} is not written`, () => refused(() => encodeAdapter(one), ...reasons));
  }

  it('whose tensors are not those that its header names is refused, each by name', () => {
    const { header, tensors } = decodeTensorFile('CHAD', encodeAdapter(adapter), 'the file');
    const { [`${QUERY}.a`]: _, ...others } = Object.fromEntries(tensors);
    refused(
      () =>
        decodeAdapter(
          encodeTensorFile('CHAD', header, { ...others, more: Float32Array.of(1), 'head.bias': Uint32Array.of(1, 2) }),
        ),
      /query\.a: this tensor is missing/,
      /head\.bias: this tensor is missing or of another type/,
      /more: nothing uses this tensor/,
    );
    refused(
      () => decodeAdapter(encodeTensorFile('CHAD', { ...header, rank: 3 }, Object.fromEntries(tensors))),
      /\[3, 32\]/,
    );
    refused(() => decodeAdapter(encodeTensorFile('CHAD', { format: 2 }, {})), /format/, /base/, /rank/);
    refused(() => decodeAdapter(encodeTensorFile('CHLM', header, {})), /does not begin with CHAD/);
  });
});

describe('an adapter and a base', () => {
  it('fit where every layer is there in this shape', () => {
    assert.deepEqual(fitProblems(adapter, TINY_ENCODER), []);
    assert.deepEqual(fitProblems(decoder, TINY_DECODER), []);
  });

  it('do not fit otherwise, each reason by name', () => {
    assert.deepEqual(
      fitProblems(adapter, { ...TINY_ENCODER, layers: 1, hidden: 64 }).map(({ path, message }) => `${path} ${message}`),
      [
        `/targets/${QUERY} it updates a matrix [32, 32], the base has [64, 64]`,
        `/targets/${DENSE} the base has no such layer`,
        '/head/weight must be [labels, 64]',
      ],
    );
    assert.match(JSON.stringify(fitProblems(adapter, TINY_DECODER)), /the base is not an encoder/);
  });
});
