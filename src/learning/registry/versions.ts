import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BaseLocation } from '../bases.ts';
import { HUB_CONFIG } from './manifest.ts';

/** A version of a base model whose files lie on this machine, whichever manifest they came by. */
export interface VersionHere extends BaseLocation {
  /** SHA-256 of its weights. */
  readonly version: string;
}

const WEIGHTS = /\.(safetensors|gguf)$/;
/** What weights in safetensors cannot be read without. */
const NEEDED = [HUB_CONFIG, 'tokenizer.json'];

/** The versions on this machine, of all base models or of one. A download that has not come to its end is none. */
export function versionsHere(cacheDir: string, name?: string): VersionHere[] {
  const models = join(cacheDir, 'models');
  return (name === undefined ? folders(models) : [name]).flatMap((base) =>
    folders(join(models, base)).flatMap((version): VersionHere[] => {
      const directory = join(models, base, version);
      const names = readdirSync(directory);
      const weights = names.find((file) => WEIGHTS.test(file));
      if (weights === undefined || !/^[0-9a-f]{64}$/.test(version)) return [];
      if (!weights.endsWith('.gguf') && !NEEDED.every((file) => names.includes(file))) return [];
      const others = names.filter((file) => [...NEEDED, 'tokenizer_config.json'].includes(file));
      return [{ name: base, version, directory, files: [weights, ...others].map((file) => ({ name: file })) }];
    }),
  );
}

const folders = (path: string): string[] =>
  existsSync(path)
    ? readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
    : [];
