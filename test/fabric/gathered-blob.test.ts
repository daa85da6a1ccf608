import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import fc from 'fast-check';
import { sha256Hex } from '../../src/core/canonical/canonical.ts';
import { GatheredBlob } from '../../src/fabric/child/gathered-blob.ts';
import { useNativeSha256 } from '../../src/fabric/native-sha256.ts';

describe('what a sandbox process does in its own way', () => {
  it('gathers the parts of a blob as Node does', async () => {
    const bytes = fc.uint8Array({ maxLength: 20 });
    const part = fc.oneof(
      fc.string({ unit: 'binary' }),
      bytes,
      bytes.map((array) => Uint8Array.from(array).buffer),
      // A view into a larger buffer must not show its neighbours.
      bytes.map((array) => Uint8Array.from([1, ...array, 2]).subarray(1, -1)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part), async (parts) => {
        const own = await new GatheredBlob(parts).arrayBuffer();
        assert.deepEqual(
          new Uint8Array(own),
          new Uint8Array(await new Blob(parts as ConstructorParameters<typeof Blob>[0]).arrayBuffer()),
        );
        assert.equal(new GatheredBlob(parts).size, own.byteLength);
      }),
    );
  });

  it('hashes as the portable implementation does', () => {
    const content = fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array());
    const samples = fc.sample(content, 200);
    const portable = samples.map(sha256Hex);
    useNativeSha256();
    assert.deepEqual(samples.map(sha256Hex), portable);
    // Ill-formed text is replaced, not dropped.
    assert.equal(sha256Hex('\ud800'), hash('sha256', '\ufffd'));
  });
});
