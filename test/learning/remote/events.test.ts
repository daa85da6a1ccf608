import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { eventData } from '../../../src/learning/remote/events.ts';

async function dataOf(chunks: readonly Uint8Array[]): Promise<string[]> {
  const data: string[] = [];
  for await (const one of eventData(Readable.from(chunks) as AsyncIterable<Uint8Array>)) data.push(one);
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
});
