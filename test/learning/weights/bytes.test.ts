import { deepEqual, equal, rejects } from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { piecesOf, readBytes } from '../../../src/learning/weights/bytes.ts';
import { VERSION } from '../../../src/learning/weights/gguf-format.ts';
import { encodeGguf } from '../../../src/learning/weights/gguf-write.ts';
import { readGguf, readGgufHead } from '../../../src/learning/weights/gguf.ts';

const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) % 251);

describe('files of any size', () => {
  let folder: string;
  let path: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chimera-bytes-'));
    path = join(folder, 'file');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('are read whole, in pieces of whatever length', async () => {
    await writeFile(path, BYTES);
    for (const piece of [1, 7, 500, 999, 1000, 1001, undefined]) {
      deepEqual(await readBytes(path, piece === undefined ? {} : { piece }), BYTES);
    }
    await writeFile(path, '');
    deepEqual(await readBytes(path), new Uint8Array());
    await rejects(readBytes(join(folder, 'absent')), { code: 'ENOENT' });
  });

  it('are read from their beginning, as far as one wants', async () => {
    await writeFile(path, BYTES);
    for (const most of [0, 1, 64, 1000, 2000]) {
      deepEqual(await readBytes(path, { most, piece: 10 }), BYTES.slice(0, most));
    }
  });

  it('beyond 2 GiB are no other ones', async () => {
    await writeFile(path, BYTES);
    await truncate(path, 2 ** 31 + 4096);
    deepEqual(await readBytes(path, { most: 1000 }), BYTES);
  });

  it('are taken apart into views that follow one another', () => {
    for (const piece of [1, 300, 500, 1000, 2000]) {
      const pieces = [...piecesOf(BYTES, piece)];
      equal(pieces.length, Math.ceil(1000 / piece));
      deepEqual(new Uint8Array(Buffer.concat(pieces)), BYTES);
    }
    deepEqual([...piecesOf(new Uint8Array())], []);
  });

  describe('the head of a GGUF file', () => {
    const metadata = new Map([
      ['general.architecture', { type: 'string', value: 'llama' } as const],
      ['tokens', { type: 'array', of: 'string', value: Array.from({ length: 200 }, (_, i) => `token ${i}`) } as const],
    ]);
    const tensors = new Map([
      ['token_embd.weight', { type: 'F32', shape: [64, 8], data: new Float32Array(512) } as const],
    ]);
    const bytes = encodeGguf({ metadata, tensors });

    it('is what the whole file says, however much is read at first', async () => {
      await writeFile(path, bytes);
      for (const first of [4, 100, 3000, 1e6]) {
        const head = await readGgufHead(path, 'it', first);
        deepEqual(head.metadata, readGguf(bytes, 'it').metadata);
        deepEqual(
          [...head.tensors].map(([name, { type, shape }]) => [name, type, shape]),
          [['token_embd.weight', 'F32', [64, 8]]],
        );
      }
    });

    it('is read of a file that is too large for memory', async () => {
      // One tensor of 8 GiB, which lies in a hole of the file.
      const tensor = { name: 'token_embd.weight', sides: [2n ** 16n, 2n ** 15n] };
      const name = Buffer.from(tensor.name);
      const head = Buffer.alloc(4 + 4 + 8 + 8 + 8 + name.length + 4 + 16 + 4 + 8);
      let at = head.write('GGUF', 'latin1');
      at = head.writeUInt32LE(VERSION, at);
      for (const count of [1n, 0n, BigInt(name.length)]) at = head.writeBigUInt64LE(count, at);
      at += name.copy(head, at);
      at = head.writeUInt32LE(tensor.sides.length, at);
      for (const side of tensor.sides) at = head.writeBigUInt64LE(side, at);
      at = head.writeUInt32LE(0, at);
      head.writeBigUInt64LE(0n, at);
      const start = Math.ceil(head.length / 32) * 32;
      await writeFile(path, head);
      await truncate(path, start + 2 ** 33);
      deepEqual((await readGgufHead(path, 'it')).tensors.get(tensor.name)?.shape, [2 ** 15, 2 ** 16]);
      await truncate(path, start + 2 ** 33 - 1);
      await rejects(readGgufHead(path, 'it'), {
        code: 'CHIMERA_INVALID_INPUT',
        message: new RegExp(`it ends at ${2 ** 33}, the file has ${2 ** 33 - 1} bytes`),
      });
    });

    it('is refused where the file ends within it, or is another one', async () => {
      await writeFile(path, bytes.subarray(0, 2000));
      for (const first of [16, 1e6]) {
        await rejects(readGgufHead(path, 'it', first), { code: 'CHIMERA_INVALID_INPUT', message: /the file ends/ });
      }
      await writeFile(path, BYTES);
      await rejects(readGgufHead(path, 'it', 64), {
        code: 'CHIMERA_INVALID_INPUT',
        message: /does not begin with GGUF/,
      });
    });
  });
});
