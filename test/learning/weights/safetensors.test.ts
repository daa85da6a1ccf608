import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { encodeSafetensors, readSafetensors, safetensorsWeights } from '../../../src/learning/weights/safetensors.ts';

const tensors = new Map([
  ['a.weight', { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
  ['b.bias', { shape: [2], data: Float32Array.of(-0.5, 0.25) }],
]);
const bytes = encodeSafetensors(tensors, { format: 'pt' });

/** A file with any header and so many bytes of tensors. */
function file(header: string | object, body: Uint8Array | number = 0): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, typeof body === 'number' ? Buffer.alloc(body) : body]);
}

const entry = (dtype: string, shape: unknown, start: number, end: number): object => ({
  ...{ dtype, shape, data_offsets: [start, end] },
});

function refused(given: Uint8Array, ...whys: RegExp[]): void {
  assert.throws(
    () => readSafetensors(given, 'the file'),
    (error: unknown) => {
      assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
      for (const why of whys) assert.match(error.message, why);
      return true;
    },
  );
}

describe('a safetensors file', () => {
  it('comes back as it was written', () => {
    const names = fc.string({ unit: 'binary' }).filter((name) => name !== '__metadata__');
    const data = fc.float32Array({ maxLength: 6, noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(names, data), { selector: ([name]) => name }), fc.string(), (list, note) => {
        const written = new Map(list.map(([name, values]) => [name, { shape: [values.length], data: values }]));
        const metadata = Object.fromEntries([['__proto__', note]]);
        const encoded = encodeSafetensors(written, metadata);
        const read = readSafetensors(encoded, 'the file');
        const again = new Map(read.names.map((name) => [name, { shape: read.shape(name), data: read.f32(name) }]));
        assert.deepEqual(again, written);
        assert.deepEqual(Object.entries(read.metadata), Object.entries(metadata));
        assert.deepEqual(encodeSafetensors(again, read.metadata), encoded);
      }),
    );
  });

  it("has the reference's layout: a header padded with blanks to a multiple of 8", () => {
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    assert.equal(length % 8, 0);
    assert.equal(
      Buffer.from(bytes.subarray(8, 8 + length)).toString(),
      '{"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},' +
        '"b.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}     ',
    );
  });

  it('hands out views where tensors are aligned, copies where they are not, the same numbers', () => {
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    const [aligned, odd] = [readSafetensors(bytes, 'the file'), readSafetensors(shifted.subarray(1), 'the file')];
    assert.equal(aligned.f32('a.weight').buffer, bytes.buffer);
    assert.notEqual(odd.f32('a.weight').buffer, shifted.buffer);
    assert.deepEqual(odd.f32('a.weight'), aligned.f32('a.weight'));
  });

  it('holds halves and bfloat16, too, and integers that are no weights', () => {
    const header = { h: entry('F16', [2], 0, 4), b: entry('BF16', [], 4, 6), i: entry('I64', [1], 6, 14) };
    const read = readSafetensors(
      file(header, Uint8Array.of(0, 0x3c, 0, 0xc0, 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0)),
      'it',
    );
    assert.deepEqual([[...read.f32('h')], [...read.f32('b')], read.dtype('i')], [[1, -2], [1], 'I64']);
    const weights = safetensorsWeights(read);
    assert.deepEqual([weights.names, weights.has('i'), weights.blocks4('h')], [['h', 'b'], false, undefined]);
    assert.throws(() => read.f32('i'), /\/i: it is I64; F32, F16 and BF16 are read/);
    assert.throws(() => weights.shape('c'), /\/c: there is no such tensor/);
  });

  it('is refused at every length but its own', () => {
    for (let length = 0; length < bytes.length; length++) refused(bytes.slice(0, length), /the file is not valid/);
    refused(Uint8Array.of(...bytes, 0), /1 bytes follow its last tensor/);
  });

  it('is refused where its header is longer than it, or than any', () => {
    const lying = bytes.slice();
    new DataView(lying.buffer).setBigUint64(0, BigInt(bytes.length), true);
    refused(lying, /its header of \d+ bytes is cut off/);
    new DataView(lying.buffer).setBigUint64(0, 2n ** 63n, true);
    refused(lying, /the limit is 4194304/);
  });

  it('is refused where its header is not a JSON object of tensors', () => {
    refused(file('{"a":'), /not JSON/);
    refused(file(Buffer.from([0x22, 0xff, 0x22]).toString('latin1')), /not a JSON object/);
    for (const header of ['[]', 'null', '"a"', '1']) refused(file(header), /not a JSON object/);
    refused(file('{"a":null,"b":[],"c":{}}'), /\/a: it is not an object/, /\/b: it is not/, /\/c: dtype is none of/);
    refused(file('{"__metadata__":{"a":1}}'), /\/__metadata__: \/a is not a string/);
  });

  it('is refused where its header is nested without end', () => {
    const depth = 200_000;
    refused(file(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`), /\/a: it is not an object/);
    refused(file('['.repeat(depth)), /not JSON/);
    refused(file(`{"a":${'{"a":'.repeat(depth)}`), /not JSON/);
  });

  it('takes any name for a name', () => {
    const header = '{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
    const read = readSafetensors(file(header, 4), 'the file');
    assert.deepEqual([read.names, read.has('toString'), [...read.f32('__proto__')]], [['__proto__'], false, [0]]);
    refused(file('{"a":{"dtype":"toString","shape":[],"data_offsets":[0,4]}}', 4), /dtype is none of/);
  });

  it('is refused where a name is there twice, however it is spelled', () => {
    const one = JSON.stringify(entry('F32', [1], 0, 4));
    refused(file(`{"a\\"b":${one},"a\\u0022b":${one}}`, 4), /a"b: it is there twice/);
    // Members of a tensor are not names of tensors.
    readSafetensors(file(`{"dtype":${one}}`, 4), 'the file');
  });

  it('is refused with every problem at once where shapes, types and places do not agree', () => {
    refused(
      file(
        {
          size: entry('F32', [2], 0, 4),
          reversed: entry('F32', [1], 4, 0),
          type: entry('F31', [1], 0, 4),
          negative: entry('F32', [-1], 0, 4),
          fraction: entry('F32', [1], 0.5, 4.5),
          absurd: entry('F32', [2 ** 52, 2 ** 52, 2 ** 52], 0, 4),
        },
        4,
      ),
      /\/size: its shape needs 8 bytes, its offsets span 4/,
      /\/reversed: it ends at 0, before its start at 4/,
      /\/type: dtype is none of/,
      /\/negative: shape is not a list of sizes/,
      /\/fraction: data_offsets are not two places/,
      /\/absurd: its shape needs 3.6\d*e\+47 bytes/,
    );
  });

  it('is refused where tensors overlap, leave gaps, or leave the file', () => {
    const overlapping = { a: entry('F32', [2], 0, 8), b: entry('F32', [2], 4, 12) };
    refused(file(overlapping, 12), /\/b: it starts at 4, within the tensor before it, which ends at 8/);
    refused(file({ a: entry('F32', [1], 4, 8) }, 8), /\/a: it starts at 4, not behind the tensor before it/);
    refused(file({ a: entry('F32', [2], 0, 8) }, 4), /\/a: it ends at 8, the file has 4 bytes of tensors/);
  });

  it('shows the first of thousands of problems', () => {
    const header = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`${'n'.repeat(500)}${i}`, null]));
    assert.throws(
      () => readSafetensors(file(header), 'the file'),
      (error: unknown) => isChimeraError(error) && error.message.length < 10_000 && /4950 more/.test(error.message),
    );
  });

  it('hands out no tensor that is not finite', () => {
    for (const value of [NaN, Infinity, -Infinity]) {
      const data = Float32Array.of(0, value);
      const read = readSafetensors(encodeSafetensors(new Map([['a', { shape: [2], data }]])), 'the file');
      assert.throws(
        () => safetensorsWeights(read).f32('a'),
        (error: unknown) =>
          isChimeraError(error, 'CHIMERA_INVALID_INPUT') && error.message.includes(`/a: it holds ${value} at 1`),
      );
    }
  });

  it('never breaks on changed bytes: it is read or refused', () => {
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = bytes.slice();
        for (const [at, byte] of changes) changed[at] = byte;
        try {
          const weights = safetensorsWeights(readSafetensors(changed, 'the file'));
          for (const name of weights.names) weights.f32(name);
        } catch (error) {
          assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
