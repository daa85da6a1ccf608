import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { eventData } from '../../../src/learning/remote/events.ts';

async function dataOf(chunks: readonly Uint8Array[]): Promise<string[]> {
  const data: string[] = [];
  for await (const one of eventData({ name: 'vendor' }, Readable.from(chunks) as AsyncIterable<Uint8Array>))
    data.push(one);
  return data;
}

describe('learning: server-sent events', () => {
  const text =
    ': hello\r\n\r\nevent: delta\r\nid: 1\r\ndata: Zürich 🏔\r\n\r\n\ndata:two\ndata:  lines\n\ndata: cut off';

  it('have data of one line or several; comments, other fields and what is cut off at the end have none', async () => {
    assert.deepEqual(await dataOf([Buffer.from(text)]), ['Zürich 🏔', 'two\n lines']);
  });

  it('are the same wherever the stream is cut into pieces', async () => {
    const bytes = Buffer.from(text);
    assert.deepEqual(await dataOf([...bytes].map((byte) => Buffer.of(byte))), ['Zürich 🏔', 'two\n lines']);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length)), async (cuts) => {
        const ends = [...cuts.sort((a, b) => a - b), bytes.length];
        const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
        assert.deepEqual(await dataOf(pieces), ['Zürich 🏔', 'two\n lines']);
      }),
    );
  });

  it('come in lines of a million characters at most, in whatever pieces', async () => {
    const long = `data: ${'x'.repeat(1_048_570)}`;
    assert.equal((await dataOf([Buffer.from(`${long}\n\n`)]))[0]!.length, 1_048_570);
    const whole = Buffer.from(`${long}x\n\n`);
    for (const pieces of [[whole], [whole.subarray(0, 1000), whole.subarray(1000)]]) {
      await assert.rejects(dataOf(pieces), { code: 'CHIMERA_PROVIDER_FAILED', message: /vendor failed: a line/ });
    }
  });

  it('are read once, however small the pieces of a line are', async () => {
    const time = async (line: number): Promise<number> => {
      const piece = Buffer.alloc(20, 'x');
      const before = performance.now();
      for (let lines = 0; lines < 1_000_000 / line; lines++) {
        const pieces = new Array<Buffer>(line / piece.length).fill(piece);
        await dataOf([Buffer.from('data:'), ...pieces, Buffer.from('\n\n')]);
      }
      return performance.now() - before;
    };
    await time(1_000);
    const [short, long] = [await time(1_000), await time(1_000_000)];
    assert.ok(long < 10 * short, `a long line takes ${long} ms, short ones of the same size ${short} ms`);
  }).timeout(20_000);
});
