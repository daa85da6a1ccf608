import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Readable } from 'node:stream';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { chunked, readBody, readLines } from '../../src/gateway/body.ts';
import { ProblemList } from '../../src/gateway/problems.ts';

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
    await Promise.resolve();
  }
}

describe('gateway/body', () => {
  it('gives a body back whole, up to the limit', async () => {
    const bytes = Buffer.from('0123456789');
    assert.deepEqual(await readBody(Readable.from([bytes.subarray(0, 3), bytes.subarray(3)]), 10), bytes);
    await assert.rejects(readBody(Readable.from([bytes]), 9), (error) => isChimeraError(error, 'CHIMERA_TOO_LARGE'));
  });

  it('holds nothing of a body that is longer', async () => {
    const chunk = Buffer.alloc(64 * 1024, 0x20);
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    const source = (function* () {
      for (let i = 0; i < 500; i += 1) {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
        yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      }
    })();
    await assert.rejects(readBody(Readable.from(source), 1 << 20), /32768000 bytes, the limit is 1048576 bytes/);
    assert.ok(peak < 2 << 20, `${peak} bytes`);
  });

  it('believes a declared length that is too long', async () => {
    await assert.rejects(readBody(Readable.from([Buffer.from('{}')]), 10, 11), /11 bytes/);
  });

  it('finds the lines of a text however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom('a', '"', 'é', ' ', '\r') })),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        async (lines, sizes) => {
          const bytes = Buffer.from(lines.join('\n'));
          const found = await collect(readLines(pieces(bytes, sizes), 1000));
          const expected = lines
            .map((text, i) => ({ number: i + 1, text }))
            .filter(({ text }) => text.replaceAll(/[ \r]/g, '') !== '');
          assert.deepEqual(
            found.map(({ number, bytes: line }) => ({ number, text: Buffer.from(line!).toString() })),
            expected,
          );
        },
      ),
    );
  });

  it('drops a line that is too long and goes on', async () => {
    const text = Buffer.from(`ok\n${'x'.repeat(50)}\nfine`);
    const found = await collect(readLines(pieces(text, [7]), 10));
    assert.deepEqual(
      found.map(({ number, bytes }) => [number, bytes === undefined ? undefined : Buffer.from(bytes).toString()]),
      [
        [1, 'ok'],
        [2, undefined],
        [3, 'fine'],
      ],
    );
  });

  it('groups items', async () => {
    assert.deepEqual(await collect(chunked(Readable.from([1, 2, 3, 4, 5]), 2)), [[1, 2], [3, 4], [5]]);
  });

  it('lists the first problems and counts the rest', () => {
    const problems = new ProblemList(2);
    for (const path of ['a', 'b', 'c', 'd']) problems.add({ path, message: 'bad' });
    assert.equal(problems.count, 4);
    assert.deepEqual(
      problems.list().map(({ path, message }) => `${path}:${message}`),
      ['a:bad', 'b:bad', ':and 2 more problems'],
    );
  });
});
