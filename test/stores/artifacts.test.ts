import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';

import { mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createDirectoryArtifacts,
  createS3Artifacts,
  type ArtifactStore,
  type StoredArtifact,
} from '../../src/stores/index.ts';
import { openArtifacts } from '../../src/stores/artifacts/open.ts';
import { startS3, type S3Server } from './versitygw.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const text = (content: string): Uint8Array => new TextEncoder().encode(content);

async function listed(store: ArtifactStore): Promise<StoredArtifact[]> {
  const all: StoredArtifact[] = [];
  for await (const artifact of store.list()) all.push(artifact);
  return all;
}

/** What every backend must do. */
function behaves(open: () => ArtifactStore): void {
  let store: ArtifactStore;
  beforeEach(() => (store = open()));

  it('lists nothing before the first put, and removes nothing', async () => {
    assert.deepEqual(await listed(store), []);
    assert.equal(await store.has({ sha256: 'f'.repeat(64) }), false);
    assert.equal(await store.delete({ sha256: 'f'.repeat(64) }), false);
  });

  it('stores bytes under their hash, once', async () => {
    const bytes = text('hello');
    const ref = await store.put(bytes, { kind: 'test' });
    assert.equal(ref.sha256, sha256(bytes));
    assert.ok(ref.key.endsWith(`sha256/${ref.sha256.slice(0, 2)}/${ref.sha256}`));
    assert.equal(ref.bytes, 5);
    assert.deepEqual(await Promise.all([1, 2, 3, 4].map(() => store.put(bytes))), [ref, ref, ref, ref]);
    assert.deepEqual(Buffer.from(await store.get(ref)), Buffer.from(bytes));
    assert.equal(await store.has(ref), true);
    assert.deepEqual(
      (await listed(store)).map(({ modifiedAt: _at, ...rest }) => rest),
      [ref],
    );
  });

  it('stores nothing, streams and more than one part', async () => {
    const empty = await store.put(new Uint8Array());
    assert.equal((await store.get(empty)).byteLength, 0);
    const large = new Uint8Array(9 * 1024 * 1024 + 1).map((_, i) => (i * 31) ^ (i >> 11));
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < large.length; at += 700_001) yield Promise.resolve(large.subarray(at, at + 700_001));
    }
    const ref = await store.put(chunks());
    assert.equal(ref.sha256, sha256(large));
    assert.equal(sha256(await store.get(ref)), ref.sha256);
    assert.deepEqual(await store.put(large), ref);
    assert.equal((await listed(store)).length, 2);
  });

  it('leaves nothing of a stream that fails', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Promise.resolve(text('half'));
      throw new Error('the source broke');
    }
    await assert.rejects(store.put(failing()), /the source broke/);
    assert.deepEqual(await listed(store), []);
  });

  it('says what is missing, and deletes only what was not put again', async () => {
    await assert.rejects(store.get({ sha256: 'f'.repeat(64) }), { code: 'CHIMERA_NOT_FOUND' });
    const ref = await store.put(text('short-lived'));
    assert.equal(await store.delete(ref, { unmodifiedSince: new Date(Date.now() - 3_600_000) }), false);
    assert.equal(await store.has(ref), true);
    assert.equal(await store.delete(ref, { unmodifiedSince: new Date(Date.now() + 3_600_000) }), true);
    await assert.rejects(store.get(ref), { code: 'CHIMERA_NOT_FOUND' });
  });
}

describe('stores: artifacts in a directory', () => {
  let root: string;
  beforeEach(async () => (root = join(await mkdtemp(join(tmpdir(), 'chimera-artifacts-')), 'artifacts')));
  afterEach(() => rm(join(root, '..'), { recursive: true, force: true }));

  behaves(() => openArtifacts({ kind: 'directory', path: root }));

  it('notices bytes that changed, and repairs a file cut short by a later put', async () => {
    const store = createDirectoryArtifacts(root);
    const ref = await store.put(text('precious'));
    await writeFile(join(root, ref.key), 'precioux');
    await assert.rejects(store.get(ref), { code: 'CHIMERA_ARTIFACT_CORRUPT', retryable: false });
    await truncate(join(root, ref.key), 3);
    await assert.rejects(store.get(ref), { code: 'CHIMERA_ARTIFACT_CORRUPT' });
    await store.put(text('precious'));
    assert.equal(Buffer.from(await store.get(ref)).toString(), 'precious');
  });

  it('leaves no draft behind, renews the time of what is put again, and ignores foreign files', async () => {
    const store = createDirectoryArtifacts(root);
    const ref = await store.put(text('x'));
    assert.deepEqual(await readdir(join(root, 'incoming')), []);
    await utimes(join(root, ref.key), new Date(0), new Date(0));
    await store.put(text('x'));
    await writeFile(join(root, 'sha256', ref.sha256.slice(0, 2), 'README'), 'hello');
    const [found, ...rest] = await listed(store);
    assert.deepEqual(rest, []);
    assert.ok((found?.modifiedAt.getTime() ?? 0) > Date.now() - 60_000);
  });

  it('reports a medium that fails as unavailable', async () => {
    await writeFile(root, 'a file where the folder should be');
    const store = createDirectoryArtifacts(root);
    await assert.rejects(store.put(text('x')), { code: 'CHIMERA_STORE_UNAVAILABLE', retryable: true });
  });
});

describe('stores: artifacts in S3', function () {
  // The server may have to be built first.
  this.timeout(600_000);
  let server: S3Server | undefined;
  let bucket = 0;
  before(async function () {
    server = await startS3();
    if (server === undefined) this.skip();
  });
  after(() => server?.stop());

  const open = (over: object = {}): ArtifactStore => {
    if (server === undefined) throw new Error('there is no S3 server');
    return createS3Artifacts({ ...server.options(`artifacts-${bucket++}`), ...over });
  };

  behaves(() => open());

  it('reports a service that is not there, or refuses the key, as unavailable', async () => {
    const gone = open({ endpoint: 'http://127.0.0.1:1' });
    await assert.rejects(gone.put(text('x')), { code: 'CHIMERA_STORE_UNAVAILABLE' });
    const refused = open({ credentials: { accessKeyId: 'chimera', secretAccessKey: 'wrong' } });
    await assert.rejects(refused.put(text('x')), { code: 'CHIMERA_STORE_UNAVAILABLE' });
  });
});
