import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { unzip } from '../../src/machine/unzip.ts';
import { zip } from './zip.ts';

describe('unzip', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'chimera-unzip-'))));
  after(() => rmSync(folder, { recursive: true }));

  const from = async (archive: Uint8Array, name: string): Promise<Buffer> => {
    const path = join(folder, 'archive');
    writeFileSync(path, archive);
    return buffer(await unzip(path, name));
  };

  it('gives one file, deflated or stored, and says what is wrong with an archive', async () => {
    const files = { a: Buffer.from('first'), 'b/c': Buffer.from('second'.repeat(50)) };
    for (const stored of [true, false]) assert.deepEqual(await from(zip(files, stored), 'b/c'), files['b/c']);
    await assert.rejects(from(zip(files), 'c'), /the archive has no c/);
    await assert.rejects(from(Buffer.from('PK'), 'a'), /not a zip archive/);
    await assert.rejects(from(zip(files).subarray(0, -1), 'a'), /not a zip archive/);
  });

  it('fails where the compressed bytes are damaged', async () => {
    const archive = zip({ a: Buffer.from('first'.repeat(50)) });
    archive.fill(0xff, 31, 40);
    await assert.rejects(from(archive, 'a'), { code: 'Z_DATA_ERROR' });
  });
});
