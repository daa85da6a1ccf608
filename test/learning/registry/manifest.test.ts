import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isChimeraError } from '../../../src/contracts/errors.ts';
import { findModel, loadModels, versionOf } from '../../../src/learning/registry/manifest.ts';
import { testModel } from './fixture.ts';

describe('the manifest of base models', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'chimera-models-'));
    path = join(folder, 'own.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const own = (models: readonly unknown[]): void => writeFileSync(path, JSON.stringify({ models }));

  it('ships an encoder and a decoder, each with a wheel as its last source', () => {
    const models = loadModels();
    assert.deepEqual(
      models.map(({ name }) => name),
      ['all-MiniLM-L6-v2', 'SmolLM2-135M-Instruct'],
    );
    for (const { licence, sources } of models) {
      assert.equal(licence, 'Apache-2.0');
      assert.equal(sources.at(-1)?.kind, 'wheel');
      for (const source of sources)
        if (source.kind === 'hub') assert.match(source.url, /\/resolve\/[0-9a-f]{40}\/$/, 'a revision, not a branch');
    }
  });

  it("takes models of a manifest of one's own, which replace those of the same name", () => {
    const tiny = testModel({ kind: 'file', path: 'weights' });
    own([tiny, { ...tiny, name: 'all-MiniLM-L6-v2' }]);
    const models = loadModels(path);
    assert.deepEqual(
      models.map(({ name }) => name),
      ['SmolLM2-135M-Instruct', 'tiny', 'all-MiniLM-L6-v2'],
    );
    const found = findModel(models, 'tiny');
    assert.deepEqual(found.sources, [{ kind: 'file', path: join(folder, 'weights') }], 'a path from the manifest on');
    assert.equal(versionOf(found), tiny.files[0]!.sha256);
    assert.throws(() => findModel(models, 'huge'), {
      code: 'CHIMERA_NOT_FOUND',
      message: /there is no base model named huge:[\s\S]*tiny: is a known base model/,
    });
  });

  it('names every problem at once', () => {
    const tiny = testModel({ kind: 'hub', url: 'ftp://x/' });
    own([
      { ...tiny, name: '../escape', licence: '', extra: 1 },
      {
        ...tiny,
        files: [
          { name: 'a/../b', bytes: 0, sha256: 'XYZ' },
          { name: 'c', bytes: 1, sha256: 'a'.repeat(64) },
          { name: 'c', bytes: 1, sha256: 'a'.repeat(64) },
        ],
        sources: [],
      },
      { ...tiny, files: [tiny.files[0]], sources: [{ kind: 'hub', url: 'https://x/no-slash' }] },
    ]);
    assert.throws(
      () => loadModels(path),
      (error) => {
        assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'));
        const problems = error.details.problems!.map((problem) => problem.path);
        for (const place of [
          '/models/0/name',
          '/models/0/licence',
          '/models/0/sources/0/url',
          '/models/0',
          '/models/1/files/0/name',
          '/models/1/files/0/bytes',
          '/models/1/files/0/sha256',
          '/models/1/sources',
          '/models/2/files',
          '/models/2/sources/0/url',
        ])
          assert.ok(problems.includes(place), `${place} in ${problems.join(' ')}`);
        return true;
      },
    );
  });

  it('says that a name is there twice, that it is no JSON, and that there is no file', () => {
    const tiny = testModel({ kind: 'file', path: '.' });
    own([tiny, { ...tiny, files: [tiny.files[0], tiny.files[0]] }]);
    assert.throws(() => loadModels(path), /\/models: has tiny twice|\/models\/1\/files: has model\.safetensors twice/);
    writeFileSync(path, '{');
    assert.throws(() => loadModels(path), { code: 'CHIMERA_MALFORMED_JSON' });
    rmSync(path);
    assert.throws(() => loadModels(path), { code: 'ENOENT' });
  });
});
