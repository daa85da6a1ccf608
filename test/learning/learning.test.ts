import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeAdapter } from '../../src/learning/adapters/file.ts';
import { openLocalBase } from '../../src/learning/bases.ts';
import { openLearning, type Learning } from '../../src/learning/learning.ts';
import type { ModelEntry } from '../../src/learning/registry/manifest.ts';
import { encodeSafetensors } from '../../src/learning/weights/safetensors.ts';
import { seededAdapter } from './inference/tiny-models.ts';
import { TINY_ENCODER, tinyWeights } from './tiny.ts';
import { writeTinyBase } from './tiny-files.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('the models of a process', () => {
  const name = 'tiny-encoder';
  const adapters = new Map<string, Uint8Array>();
  const open: Learning[] = [];
  let root: string;
  let cacheDir: string;
  let entry: ModelEntry;
  /** Of the weights that were there before the manifest named others. */
  let old: string;

  const opened = (): Learning => {
    const resolve = (id: string): Promise<Uint8Array> => Promise.resolve(adapters.get(id)!);
    const learning = openLearning({ cacheDir, models: [entry], resolve });
    open.push(learning);
    return learning;
  };

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'chimera-learning-'));
    cacheDir = join(root, 'cache');
    const { base, remove } = await writeTinyBase('encoder');
    const source = join(root, 'new');
    await cp(base.directory, source, { recursive: true });
    old = sha256(await readFile(join(source, 'model.safetensors')));
    await mkdir(join(cacheDir, 'models', name), { recursive: true });
    await cp(base.directory, join(cacheDir, 'models', name, old), { recursive: true });
    await remove();
    const weights = tinyWeights(TINY_ENCODER);
    const tensors = weights.names.map(
      (tensor) => [tensor, { shape: weights.shape(tensor), data: weights.f32(tensor).map((x) => 1.5 * x) }] as const,
    );
    await writeFile(join(source, 'model.safetensors'), encodeSafetensors(new Map(tensors), { format: 'pt' }));
    const files = await Promise.all(
      base.files.map(async (file) => {
        const bytes = await readFile(join(source, file.name));
        return { name: file.name, bytes: bytes.length, sha256: sha256(bytes) };
      }),
    );
    const about = { description: 'of a test', licence: 'MIT', home: 'http://127.0.0.1/' };
    entry = { name, ...about, files, sources: [{ kind: 'file', path: source }] };
  });
  afterEach(() => Promise.all(open.splice(0).map((learning) => learning.close())));
  after(() => rm(root, { recursive: true, force: true }));

  it('are of the version that is asked for, where it is on this machine, else of the one that the manifest names', async () => {
    const learning = opened();
    const [present] = entry.files.map((file) => file.sha256) as [string];
    assert.equal((await learning.locate(name)).directory, join(cacheDir, 'models', name, present));
    assert.equal(
      (await learning.locate(name, { version: present })).directory,
      (await learning.locate(name)).directory,
    );
    assert.equal((await learning.locate(name, { version: old })).directory, join(cacheDir, 'models', name, old));
    await assert.rejects(learning.locate(name, { version: 'f'.repeat(64) }), {
      code: 'CHIMERA_MODEL_UNAVAILABLE',
      message: new RegExp(`version f{64} is not on this machine, and the manifest names version ${present}`),
    });
    const embedded = async (version?: string): Promise<number[]> => {
      const model = version === undefined ? { base: name } : { base: name, version };
      return [...(await learning.inference.embed({ model, texts: ['tree buy stone'] })).vectors[0]!];
    };
    assert.notDeepEqual(await embedded(old), await embedded());
    assert.deepEqual(await embedded(present), await embedded());
    const [answer] = await learning.ask(old, ['tree buy stone']);
    assert.deepEqual(answer!.scores, await embedded(old));
  });

  it('are hashed once', async () => {
    const learning = opened();
    const { directory } = await learning.locate(name);
    await rm(join(directory, 'tokenizer.json'));
    assert.equal((await learning.locate(name)).directory, directory);
    await opened().locate(name);
    assert.ok((await readFile(join(directory, 'tokenizer.json'))).length > 0, 'another process mends it');
  });

  it('answer for an adapter by the weights that it was trained beside, whatever the manifest names', async () => {
    const learning = opened();
    const { base } = await openLocalBase(await learning.locate(name, { version: old }), 'fp32');
    const bytes = encodeAdapter(seededAdapter(base, 'old').adapter);
    adapters.set(sha256(bytes), bytes);
    const [answer] = await learning.ask(sha256(bytes), ['tree buy stone']);
    assert.deepEqual(answer!.labels, ['a', 'b']);
  });

  it('answer what agents and workflows ask to the last bit, whoever asks beside them', async () => {
    const texts = Array.from({ length: 24 }, (_, i) => 'tree buy stone '.repeat(1 + (i % 7)) + i);
    const together = await opened().ask(old, texts);
    const learning = opened();
    for (const [i, text] of texts.entries()) assert.deepEqual(await learning.ask(old, [text]), [together[i]]);
  });
});
