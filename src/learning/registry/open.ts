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
    : {
        config: await readHubConfig(directory),
        weights: safetensorsWeights(readSafetensors(bytes, name)),
      };
  checkWeights(opened.config, opened.weights);
  return opened;
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
