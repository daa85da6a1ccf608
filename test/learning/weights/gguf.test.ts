import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import type { GgufMetadata, GgufScalarType, GgufValue } from '../../../src/learning/weights/gguf-format.ts';
import { hubName, inverse, llamaCppName, llamaCppRows, reorderRows } from '../../../src/learning/weights/gguf-names.ts';
import { encodeGguf, llamaCppTensors, type GgufOutput } from '../../../src/learning/weights/gguf-write.ts';
import { ggufWeights, readGguf } from '../../../src/learning/weights/gguf.ts';
import { dequantize4, dequantize8, quantizeBlocks4 } from '../../../src/learning/weights/quantize.ts';

const heads = { heads: 2, keyHeads: 1 };
const llama: GgufMetadata = new Map<string, GgufValue>([
  ['general.architecture', { type: 'string', value: 'llama' }],
  ['llama.attention.head_count', { type: 'uint32', value: heads.heads }],
  ['llama.attention.head_count_kv', { type: 'uint32', value: heads.keyHeads }],
]);

const matrix = (rows: number, columns: number): Float32Array =>
  Float32Array.from({ length: rows * columns }, (_, i) => ((i * 37) % 101) / 8 - 6);

const eight = {
  ...{ rows: 4, columns: 32, blockSize: 32 },
  codes: Int8Array.from({ length: 128 }, (_, i) => ((i * 29) % 256) - 128),
  scales: Float32Array.of(0.5, 0.25, 2, -1),
};

/** A Llama of one attention, each tensor of another type, by its checkpoint's names. */
const checkpoint = new Map<string, GgufOutput>([
  ['model.embed_tokens.weight', { type: 'Q8_0', blocks: eight }],
  ['model.layers.0.self_attn.q_proj.weight', { type: 'Q4_1', blocks: quantizeBlocks4(matrix(8, 32), 8, 32) }],
  ['model.layers.0.self_attn.q_proj.bias', { type: 'F32', shape: [8], data: matrix(8, 1) }],
  ['model.layers.0.self_attn.k_proj.weight', { type: 'F16', shape: [4, 32], data: matrix(4, 32) }],
  ['model.layers.0.mlp.down_proj.weight', { type: 'F32', shape: [3, 2], data: matrix(3, 2) }],
]);
const tensors = llamaCppTensors(checkpoint, heads);
const bytes = encodeGguf({ metadata: llama, tensors });

function refused(given: Uint8Array, ...whys: RegExp[]): void {
  assert.throws(
    () => ggufWeights(readGguf(given, 'the file')),
    (error: unknown) => {
      assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
      for (const why of whys) assert.match(error.message, why);
      return true;
    },
  );
}

const u32 = (value: number): Buffer => {
  const part = Buffer.alloc(4);
  part.writeUInt32LE(value);
  return part;
};
const u64 = (value: bigint | number): Buffer => {
  const part = Buffer.alloc(8);
  part.writeBigUInt64LE(BigInt(value));
  return part;
};
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const head = (tensorCount: bigint | number, valueCount: bigint | number): Buffer =>
  Buffer.concat([Buffer.from('GGUF'), u32(3), u64(tensorCount), u64(valueCount)]);
const info = (name: string, sides: (number | bigint)[], type: number, offset: number | bigint): Buffer =>
  Buffer.concat([text(name), u32(sides.length), ...sides.map(u64), u32(type), u64(offset)]);

/** A file of a Llama with the tensors listed, and so many bytes for them. */
function file(infos: readonly Buffer[], body: Uint8Array | number = 256): Uint8Array {
  const architecture = Buffer.concat([text('general.architecture'), u32(8), text('llama')]);
  const list = Buffer.concat([head(infos.length, 1), architecture, ...infos]);
  const padding = Buffer.alloc((32 - (list.length % 32)) % 32);
  return Buffer.concat([list, padding, typeof body === 'number' ? Buffer.alloc(body) : body]);
}

/** A file with one value of metadata. */
const withValue = (...parts: Buffer[]): Uint8Array =>
  Buffer.concat([head(0, 1), text('a'), ...parts, Buffer.alloc(64)]);

describe('the weights of a GGUF file', () => {
  const weights = ggufWeights(readGguf(bytes, 'the file'));

  it("have the checkpoint's names, shapes, order of rows and numbers, whatever their type", () => {
    assert.deepEqual(weights.names, [...checkpoint.keys()]);
    for (const [name, tensor] of checkpoint) {
      const [shape, values] =
        tensor.type === 'Q4_1'
          ? [[tensor.blocks.rows, tensor.blocks.columns], dequantize4(tensor.blocks)]
          : tensor.type === 'Q8_0'
            ? [[tensor.blocks.rows, tensor.blocks.columns], dequantize8(tensor.blocks)]
            : [tensor.shape, tensor.data];
      assert.deepEqual(weights.shape(name), shape);
      assert.deepEqual(weights.f32(name), values);
    }
  });

  it('come in blocks where they lie in blocks, in the same order of rows', () => {
    const q = checkpoint.get('model.layers.0.self_attn.q_proj.weight')!;
    assert.deepEqual(weights.blocks4('model.layers.0.self_attn.q_proj.weight'), 'blocks' in q && q.blocks);
    assert.deepEqual(weights.blocks8('model.embed_tokens.weight'), eight);
    assert.equal(weights.blocks4('model.embed_tokens.weight'), undefined);
    assert.equal(weights.blocks8('model.layers.0.mlp.down_proj.weight'), undefined);
  });

  it('are named where there is no such tensor', () => {
    assert.equal(weights.has('lm_head.weight'), false);
    for (const get of [weights.f32, weights.shape, weights.blocks4, weights.blocks8]) {
      assert.throws(() => get('lm_head.weight'), /\/lm_head.weight: there is no such tensor/);
    }
  });

  it('are unpacked from Q4_0 about code 8, from BF16 as the upper half of single precision', () => {
    // Scale 0.5; codes 0 … 15 in the low halves, 15 … 0 in the high ones.
    const block = Buffer.from([0x00, 0x38, ...Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4))]);
    const body = Buffer.concat([block, Buffer.alloc(14), Buffer.from([0x80, 0x3f, 0x20, 0xc0])]);
    const file4 = file([info('output.weight', [32, 1], 2, 0), info('output_norm.weight', [2], 30, 32)], body);
    const read = ggufWeights(readGguf(file4, 'the file'));
    const codes = Array.from({ length: 32 }, (_, i) => (i < 16 ? i : 31 - i));
    assert.deepEqual(
      [...read.f32('lm_head.weight')],
      codes.map((code) => (code - 8) / 2),
    );
    assert.deepEqual(dequantize4(read.blocks4('lm_head.weight')!), read.f32('lm_head.weight'));
    assert.equal(read.blocks4('lm_head.weight')!.minima[0], -4);
    assert.deepEqual([...read.f32('model.norm.weight')], [1, -2.5]);
  });

  it('are refused where they are not finite, in blocks, too', () => {
    const infinite = Buffer.alloc(32);
    infinite.writeUInt16LE(0x7c00);
    for (const type of [2, 3, 8, 0, 1, 30]) {
      const body =
        type === 0 ? Buffer.from(Float32Array.of(NaN).buffer) : type === 30 ? Buffer.from([0x80, 0x7f]) : infinite;
      const columns = [2, 3, 8].includes(type) ? 32 : 1;
      const padded = Buffer.concat([body, Buffer.alloc(64)]);
      const read = ggufWeights(readGguf(file([info('output.weight', [columns, 1], type, 0)], padded), 'the file'));
      const refusal = /\/lm_head.weight: it holds -?(NaN|Infinity) at/;
      assert.throws(() => read.f32('lm_head.weight'), refusal);
      if (type === 2 || type === 3) assert.throws(() => read.blocks4('lm_head.weight'), refusal);
      if (type === 8) assert.throws(() => read.blocks8('lm_head.weight'), refusal);
    }
  });

  it('are refused where the file is no Llama, or its heads do not fit', () => {
    const changed = (key: string, value: GgufValue): Uint8Array =>
      encodeGguf({ metadata: new Map([...llama, [key, value]]), tensors });
    refused(
      changed('general.architecture', { type: 'string', value: 'qwen2' }),
      /general.architecture: it is not llama/,
    );
    for (const count of [0, 3, 5, 8]) {
      refused(
        changed('llama.attention.head_count', { type: 'uint32', value: count }),
        /attn_q.weight: its 8 rows are not/,
      );
    }
    refused(encodeGguf({ metadata: new Map(), tensors }), /general.architecture: it is not llama/);
    refused(file([info('rope_freqs.weight', [4], 0, 0)]), /\/rope_freqs.weight: a Llama has no such tensor/);
  });
});

describe('names and rows of llama.cpp', () => {
  it('translate both ways', () => {
    for (const name of checkpoint.keys()) assert.equal(hubName(llamaCppName(name)!), name);
    assert.equal(hubName('blk.12.attn_output.weight'), 'model.layers.12.self_attn.o_proj.weight');
    for (const name of ['blk.0.attn_q', 'blk.x.attn_q.weight', 'blk.0.__proto__.weight', 'toString', '']) {
      assert.deepEqual([hubName(name), llamaCppName(name)], [undefined, undefined]);
    }
  });

  it('have the two rows that rotary positions turn together side by side', () => {
    // convert_hf_to_gguf.py: weights.reshape(heads, 2, rows / heads / 2, …).swapaxes(1, 2)
    assert.deepEqual(
      [...reorderRows(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7), inverse(llamaCppRows(8, 2)))],
      [0, 2, 1, 3, 4, 6, 5, 7],
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 8 }), (count, half) => {
        const order = llamaCppRows(count * half * 2, count);
        assert.deepEqual(
          reorderRows(reorderRows(matrix(order.length, 3), order), inverse(order)),
          matrix(order.length, 3),
        );
      }),
    );
  });
});

const numbers = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const scalars: [GgufScalarType, fc.Arbitrary<number | bigint | boolean | string>][] = [
  ['uint8', numbers(0, 0xff)],
  ['int8', numbers(-0x80, 0x7f)],
  ['uint16', numbers(0, 0xffff)],
  ['int16', numbers(-0x8000, 0x7fff)],
  ['uint32', numbers(0, 0xffffffff)],
  ['int32', numbers(-0x80000000, 0x7fffffff)],
  ['float32', fc.float()],
  ['bool', fc.boolean()],
  ['string', fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\ufeffmark'))],
  ['uint64', fc.bigInt(0n, 2n ** 64n - 1n)],
  ['int64', fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)],
  ['float64', fc.double()],
];
const anyValue: fc.Arbitrary<GgufValue> = fc.oneof(
  ...scalars.flatMap(([type, scalar]): fc.Arbitrary<GgufValue>[] => [
    scalar.map((value) => ({ type, value })),
    fc.array(scalar, { maxLength: 5 }).map((value) => ({ type: 'array', of: type, value })),
  ]),
);

describe('a GGUF file', () => {
  it('has the metadata that were written, with their types', () => {
    const names = fc.oneof(fc.string(), fc.constant('__proto__')).filter((name) => name !== 'general.alignment');
    const list = fc.uniqueArray(fc.tuple(names, anyValue), { selector: ([name]) => name });
    fc.assert(
      fc.property(list, (entries) => {
        const metadata = new Map(entries);
        const encoded = encodeGguf({ metadata, tensors });
        const read = readGguf(encoded, 'the file');
        assert.deepEqual(read.metadata, metadata);
        assert.deepEqual(encodeGguf({ metadata: read.metadata, tensors }), encoded);
      }),
    );
  });

  it('is refused at every length but its own', () => {
    // Its last tensor has 24 bytes and 8 of padding.
    for (let length = 0; length < bytes.length - 8; length++) refused(bytes.slice(0, length), /the file is not valid/);
  });

  it('is refused where it begins with something else, or is of another version', () => {
    refused(Buffer.from('GGML0000'), /does not begin with GGUF/);
    for (const version of [0, 1, 4, 0x03000000]) {
      refused(Buffer.concat([Buffer.from('GGUF'), u32(version), Buffer.alloc(64)]), /version \d+ is not read/);
    }
  });

  it('is refused where counts and lengths are absurd, at once', () => {
    for (const count of [2n ** 60n, 2n ** 64n - 1n, 1n << 17n]) {
      refused(Buffer.concat([head(count, 0), Buffer.alloc(64)]), /the number of tensors is \d+, the limit is 65536/);
      refused(Buffer.concat([head(0, count), Buffer.alloc(64)]), /the number of metadata is \d+, the limit is 65536/);
    }
    refused(
      Buffer.concat([head(60000, 0), Buffer.alloc(64)]),
      /number of tensors is 60000, which is more than the rest/,
    );
    refused(
      Buffer.concat([head(0, 1), u64(2n ** 40n), Buffer.alloc(64)]),
      /length of the name of metadata 0 is 1099511627776/,
    );
    refused(withValue(u32(8), u64(2n ** 40n)), /the length of metadata \/a is 1099511627776/);
    refused(withValue(u32(9), u32(8), u64(2n ** 40n)), /the length of metadata \/a is 1099511627776/);
    refused(withValue(u32(9), u32(0), u64(2n ** 63n)), /which is more than the rest of the file can hold/);
  });

  it('is refused where its arrays have millions of elements that the file does hold', () => {
    const many = (1 << 22) + 1;
    refused(Buffer.concat([head(0, 1), text('a'), u32(9), u32(0), u64(many), Buffer.alloc(many)]), /more than 4194304/);
  });

  it('is refused where arrays are nested, types are unknown, or text is not UTF-8', () => {
    refused(
      withValue(u32(9), ...Array.from({ length: 1000 }, () => [u32(9), u64(1)]).flat()),
      /elements of metadata \/a cannot be/,
    );
    refused(withValue(u32(9), u32(9), u64(1)), /the elements of metadata \/a cannot be of type 9/);
    refused(withValue(u32(13)), /metadata \/a cannot be of type 13/);
    refused(withValue(u32(8), u64(1), Buffer.from([0xff])), /metadata \/a is not UTF-8/);
  });

  it('is refused where a name is there twice', () => {
    const value = Buffer.concat([text('a'), u32(0), Buffer.of(1)]);
    refused(Buffer.concat([head(0, 2), value, value]), /metadata \/a is there twice/);
    const twice = [info('output.weight', [4], 0, 0), info('output.weight', [4], 0, 32)];
    refused(file(twice), /\/output.weight: it is there twice/);
  });

  it('is refused with every problem of its tensors at once', () => {
    refused(
      file([
        info('k', [32], 12, 0),
        info('new', [32], 99, 0),
        info('empty', [0, 4], 0, 0),
        info('blocks', [33, 2], 8, 0),
        info('beyond', [32], 0, 1 << 20),
        info('absurd', [2n ** 60n, 2n ** 60n, 2n ** 60n, 2n ** 60n], 0, 0),
        info('far', [1], 0, 2n ** 63n),
        info('odd', [1], 0, 33),
      ]),
      /\/k: it is Q4_K; F32, F16, Q4_0, Q4_1, Q8_0, BF16 are read/,
      /\/new: it is of the unknown type 99/,
      /\/empty: its shape \[4, 0\] is empty/,
      /\/blocks: its rows of 33 are not whole blocks of 32/,
      /\/beyond: it ends at 1048704, the file has 256 bytes of tensors/,
      /\/absurd: it ends at 7.0\d+e\+72/,
      /\/far: it ends at/,
      /\/odd: its offset 33 is not a multiple of 32/,
    );
    refused(file([info('a', [16], 0, 0), info('b', [4], 0, 32)]), /\/b: it lies over \/a/);
    for (const sides of [[], [1, 1, 1, 1, 1]]) refused(file([info('a', sides, 0, 0)]), /has \d dimensions/);
  });

  it('has an alignment that is a power of 2', () => {
    for (const value of [0, 7, 24, 0xffffffff]) {
      const key = Buffer.concat([text('general.alignment'), u32(4), u32(value)]);
      refused(Buffer.concat([head(0, 1), key]), /general.alignment: it is not a power of 2/);
    }
    refused(Buffer.concat([head(0, 1), text('general.alignment'), u32(8), text('32')]), /not a power of 2/);
    const key = Buffer.concat([text('general.alignment'), u32(4), u32(2 ** 31)]);
    assert.equal(readGguf(Buffer.concat([head(0, 1), key]), 'the file').tensors.size, 0);
  });

  it('is not written where its types cannot hold what it should', () => {
    const write = (tensor: GgufOutput): Uint8Array =>
      encodeGguf({ metadata: llama, tensors: new Map([['a', tensor]]) });
    const blocks = quantizeBlocks4(matrix(1, 32), 1, 32);
    const cases: [GgufOutput, RegExp][] = [
      [{ type: 'F16', shape: [1], data: Float32Array.of(65520) }, /\/a: a value is beyond half precision/],
      [{ type: 'F16', shape: [1], data: Float32Array.of(NaN) }, /\/a: a value is beyond half precision/],
      [
        { type: 'Q4_1', blocks: { ...blocks, minima: Float32Array.of(0.1) } },
        /\/a: its scales or minima are not of half/,
      ],
      [{ type: 'Q8_0', blocks: { ...eight, scales: Float32Array.of(1, 1, 1, 0.1) } }, /\/a: its scales or minima/],
      [{ type: 'Q4_1', blocks: quantizeBlocks4(matrix(1, 32), 1, 32, 16) }, /\/a: its blocks have 16 columns, not 32/],
    ];
    for (const [tensor, why] of cases) assert.throws(() => write(tensor), why);
    assert.throws(
      () => llamaCppTensors(new Map([['pooler.weight', cases[0]![0]]]), heads),
      /pooler.weight: a Llama has no/,
    );
  });

  it('never breaks on changed bytes: it is read or refused', () => {
    const metadata = new Map([...llama, ['l', { type: 'array', of: 'string', value: ['a', 'bc'] }] as const]);
    const original = encodeGguf({ metadata, tensors });
    const change = fc.tuple(fc.nat(original.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = original.slice();
        for (const [at, byte] of changes) changed[at] = byte;
        try {
          const weights = ggufWeights(readGguf(changed, 'the file'));
          for (const name of weights.names) {
            weights.f32(name);
            weights.blocks4(name);
            weights.blocks8(name);
          }
        } catch (error) {
          assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
