import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configOfHub } from '../../src/learning/architecture/read-config.ts';
import type { JsonObject } from '../../src/contracts/records.ts';
import type { Stores } from '../../src/stores/index.ts';
import { writeTinyBase, type TinyFamily } from '../learning/tiny-files.ts';
import { stopAtEnd } from './hooks.ts';

export interface TinyModel {
  readonly name: string;
  /** Of a manifest that names it, as a user's own. */
  readonly manifest: string;
  /** What a `models pull` writes down. */
  register(stores: Stores, project: string): Promise<void>;
}

/** A tiny base model that the registry can bring: files in a folder, and a manifest that names them. */
export async function tinyModel(family: TinyFamily): Promise<TinyModel> {
  const { base, remove } = await writeTinyBase(family);
  stopAtEnd(remove);
  const files = await Promise.all(
    base.files.map(async ({ name }) => {
      const bytes = await readFile(join(base.directory, name));
      return { name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    }),
  );
  const manifest = join(base.directory, 'models.json');
  const about = { description: 'of a test', licence: 'Apache-2.0', home: 'http://127.0.0.1/' };
  const sources = [{ kind: 'file', path: base.directory }];
  await writeFile(manifest, JSON.stringify({ models: [{ name: base.name, ...about, files, sources }] }));
  const config = configOfHub(
    JSON.parse(await readFile(join(base.directory, 'config.json'), 'utf8')),
    'config.json',
  ) as unknown as JsonObject;
  return {
    name: base.name,
    manifest,
    async register(stores, project) {
      const { licence } = about;
      await stores.baseModels.put(
        project,
        { name: base.name, version: files[0]!.sha256, licence, config, files, source: 'test' },
        'test',
      );
    },
  };
}
