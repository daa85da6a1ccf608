import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportGguf } from '../../src/learning/adapters/export.ts';
import type { DecoderConfig, EncoderConfig } from '../../src/learning/architecture/config.ts';
import { openLocalBase, type BaseLocation } from '../../src/learning/bases.ts';
import type { ModelEntry } from '../../src/learning/registry/manifest.ts';
import { fetchModel } from '../../src/learning/registry/sources.ts';
import type { GgufValue } from '../../src/learning/weights/gguf-format.ts';
import { TINY_DECODER, tinyWeights } from './tiny.ts';
import { writeTinyBase } from './tiny-files.ts';
import { tinyGgufMetadata } from './tokenizer/tiny.ts';

/** As many tokens as the tokenizer has. */
const DECODER: DecoderConfig = { ...TINY_DECODER, vocabulary: 273 };

function typed(value: unknown): GgufValue {
  if (Array.isArray(value)) return { type: 'array', of: typeof value[0] === 'string' ? 'string' : 'uint32', value };
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'boolean') return { type: 'bool', value };
  return { type: Number.isInteger(value) ? 'uint32' : 'float32', value: value as number };
}

function tinyGguf({ rotaryBase }: { rotaryBase: number }): Uint8Array {
  const { layers, hidden, heads, keyHeads, intermediate, positions, epsilon } = DECODER;
  const values = {
    'general.architecture': 'llama',
    ...{ 'llama.block_count': layers, 'llama.embedding_length': hidden, 'llama.attention.head_count': heads },
    ...{ 'llama.attention.head_count_kv': keyHeads, 'llama.feed_forward_length': intermediate },
    ...{ 'llama.context_length': positions, 'llama.attention.layer_norm_rms_epsilon': epsilon },
    ...{ 'llama.rope.freq_base': rotaryBase, ...tinyGgufMetadata() },
  };
  const metadata = new Map(Object.entries(values).map(([name, value]) => [name, typed(value)]));
  return exportGguf(tinyWeights(DECODER), DECODER, metadata);
}

describe('a local base model', () => {
  it('is what its configuration says by now: one that was corrected takes effect', async () => {
    const { base, remove } = await writeTinyBase('encoder');
    const cacheDir = await mkdtemp(join(tmpdir(), 'chimera-models-'));
    const bytesOf = (name: string) => readFile(join(base.directory, name));
    /** As a manifest of one's own has the files: the version is the hash of the weights. */
    const opened = async () => {
      const files = await Promise.all(
        base.files.map(async ({ name }) => {
          const bytes = await bytesOf(name);
          return { name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
        }),
      );
      const about = { name: 'mine', description: 'of a test', licence: 'MIT', home: 'http://127.0.0.1/' };
      const entry: ModelEntry = { ...about, files, sources: [{ kind: 'file', path: base.directory }] };
      const { directory } = await fetchModel(entry, { cacheDir });
      const local = await openLocalBase({ name: 'mine', directory, files }, 'fp32');
      return { directory, ...local.base, config: local.base.config as EncoderConfig };
    };
    try {
      const before = await opened();
      const config = JSON.parse((await bytesOf('config.json')).toString()) as object;
      const corrected = { ...config, num_attention_heads: 8, layer_norm_eps: 1e-5 };
      await writeFile(join(base.directory, 'config.json'), JSON.stringify(corrected));
      const after = await opened();
      equal(after.directory, before.directory);
      deepEqual(after.config, { ...before.config, heads: 8, epsilon: 1e-5 });
      notEqual(after.sha256, before.sha256);
    } finally {
      await Promise.all([remove(), rm(cacheDir, { recursive: true, force: true })]);
    }
  });

  it('is what the head of its GGUF file says by now', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'chimera-gguf-'));
    const location: BaseLocation = { name: 'talker', directory, files: [{ name: 'talker.gguf' }] };
    const opened = async (rotaryBase: number) => {
      await writeFile(join(directory, 'talker.gguf'), tinyGguf({ rotaryBase }));
      const { base, tokenizer } = await openLocalBase(location, '4bit');
      equal(tokenizer.decode(tokenizer.encode('Once upon')), 'Once upon');
      return { ...base, config: base.config as DecoderConfig };
    };
    try {
      const [before, after] = [await opened(10_000), await opened(50_000)];
      deepEqual([before.config.rotaryBase, after.config.rotaryBase], [10_000, 50_000]);
      notEqual(after.sha256, before.sha256);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
