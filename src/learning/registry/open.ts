import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidInput } from '../../contracts/errors.ts';
import type { ModelConfig } from '../architecture/config.ts';
import { checkWeights, configOfGguf, configOfHub } from '../architecture/read-config.ts';
import { readBytes } from '../weights/bytes.ts';
import { ggufWeights, readGguf } from '../weights/gguf.ts';
import { readSafetensors, safetensorsWeights } from '../weights/safetensors.ts';
import type { Weights } from '../weights/types.ts';
import { HUB_CONFIG, type ModelFile } from './manifest.ts';

export interface OpenModel {
  readonly weights: Weights;
  readonly config: ModelConfig;
}

/**
 * The weights of a base model and its architecture, checked against each other.
 * @param directory where its files lie, the weights first among `files`
 * @throws {ChimeraError} CHIMERA_INVALID_INPUT that names everything that is wrong with a header, the architecture or a shape
 */
export async function openModel(directory: string, files: readonly Pick<ModelFile, 'name'>[]): Promise<OpenModel> {
  const { name } = files[0]!;
  const bytes = await readBytes(join(directory, name));
  const opened = name.endsWith('.gguf')
    ? openGguf(bytes, name)
    : openCheckpoint(bytes, name, await readHubConfig(directory));
  checkWeights(opened.config, opened.weights);
  return opened;
}

function openCheckpoint(bytes: Uint8Array, name: string, config: ModelConfig): OpenModel {
  const weights = safetensorsWeights(readSafetensors(bytes, name));
  return { config, weights: config.family === 'encoder' ? withoutPrefix(weights, HEADED_ENCODER) : weights };
}

/** Before the names of an encoder's tensors where the checkpoint has a head, as one for classification has. */
const HEADED_ENCODER = 'bert.';

/** The tensors that have the prefix, by their names without it; all as they are where none has it. */
function withoutPrefix(weights: Weights, prefix: string): Weights {
  const prefixed = weights.names.filter((name) => name.startsWith(prefix));
  if (prefixed.length === 0) return weights;
  const names = new Set(prefixed.map((name) => name.slice(prefix.length)));
  return {
    names: [...names],
    has: (name) => names.has(name),
    shape: (name) => weights.shape(prefix + name),
    f32: (name) => weights.f32(prefix + name),
    blocks4: (name) => weights.blocks4(prefix + name),
    blocks8: (name) => weights.blocks8(prefix + name),
  };
}

function openGguf(bytes: Uint8Array, name: string): OpenModel {
  const file = readGguf(bytes, name);
  return { config: configOfGguf(file, name), weights: ggufWeights(file) };
}

/** The architecture of a checkpoint in safetensors. Throws as {@link openModel} does. */
export async function readHubConfig(directory: string): Promise<ModelConfig> {
  return configOfHub(parsed(await readFile(join(directory, HUB_CONFIG), 'utf8')), HUB_CONFIG);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidInput(HUB_CONFIG, [{ path: '', message: (error as Error).message }]);
  }
}
