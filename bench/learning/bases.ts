import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/config.ts';
import { convertBase, openBase } from '../../src/learning/architecture/base-files.ts';
import type { BaseModel, Precision } from '../../src/learning/architecture/base.ts';
import type { ModelConfig } from '../../src/learning/architecture/config.ts';
import { configOfGguf, configOfHub } from '../../src/learning/architecture/read-config.ts';
import { findModel, loadModels } from '../../src/learning/registry/manifest.ts';
import { fetchModel } from '../../src/learning/registry/sources.ts';
import type { GgufMetadata } from '../../src/learning/weights/gguf-format.ts';
import { ggufWeights, readGguf } from '../../src/learning/weights/gguf.ts';
import { encodeSafetensors, readSafetensors, safetensorsWeights } from '../../src/learning/weights/safetensors.ts';
import type { Weights } from '../../src/learning/weights/types.ts';
import { hubConfig } from './hub-config.ts';

export type BaseName = 'all-MiniLM-L6-v2' | 'SmolLM2-135M-Instruct';

/** Where benchmarks keep what they make once: environments of peers, converted models. */
export const benchDirectory = (): string => join(loadConfig().cacheDir, 'bench');

export interface Loaded {
  readonly weights: Weights;
  readonly config: ModelConfig;
  /** Of a GGUF file. */
  readonly metadata?: GgufMetadata;
}

/** A real base model from the registry's cache or its sources. */
export async function loadWeights(name: BaseName, log: (line: string) => void): Promise<Loaded> {
  const entry = findModel(loadModels(), name);
  const { directory } = await fetchModel(entry, { cacheDir: loadConfig().cacheDir, onLine: log });
  const file = entry.files.find(({ name: own }) => /\.(safetensors|gguf)$/.test(own))!.name;
  const bytes = await readFile(join(directory, file));
  if (file.endsWith('.gguf')) {
    const gguf = readGguf(bytes, file);
    return { weights: ggufWeights(gguf), config: configOfGguf(gguf, file), metadata: gguf.metadata };
  }
  const hub: unknown = JSON.parse(await readFile(join(directory, 'config.json'), 'utf8'));
  return { weights: safetensorsWeights(readSafetensors(bytes, file)), config: configOfHub(hub, 'config.json') };
}

/** The base as graphs read it, from files that are written once. */
export async function realBase(name: BaseName, precision: Precision, log: (line: string) => void): Promise<BaseModel> {
  const directory = join(benchDirectory(), 'bases', name);
  await mkdir(directory, { recursive: true });
  await convertBase(directory, precision, () => loadWeights(name, log));
  return openBase(name, directory, precision);
}

/**
 * A folder from which transformers loads the same weights in single precision: 4-bit blocks unpacked. Written once.
 * @returns its path
 */
export async function hubFolder(name: BaseName, log: (line: string) => void): Promise<string> {
  const directory = join(benchDirectory(), 'hub', name);
  if (!existsSync(join(directory, 'config.json'))) await writeHubFolder(directory, await loadWeights(name, log));
  return directory;
}

/** Writes weights and configuration as transformers reads them; the configuration last, so that it stands for a whole folder. */
export async function writeHubFolder(directory: string, { weights, config }: Loaded): Promise<void> {
  await mkdir(directory, { recursive: true });
  const tensors = weights.names.map((name) => [name, { shape: weights.shape(name), data: weights.f32(name) }] as const);
  await writeFile(join(directory, 'model.safetensors'), encodeSafetensors(new Map(tensors), { format: 'pt' }));
  const own = join(directory, `config.json.${process.pid}`);
  await writeFile(own, JSON.stringify(hubConfig(config)));
  await rename(own, join(directory, 'config.json'));
}
