import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Precision, BaseModel } from './architecture/base.ts';
import { convertBase, openBase } from './architecture/base-files.ts';
import type { ModelConfig } from './architecture/config.ts';
import { configOfGguf } from './architecture/read-config.ts';
import { openModel, readHubConfig } from './registry/open.ts';
import { tokenizerOfGguf } from './tokenizer/gguf.ts';
import { tokenizerOfHub } from './tokenizer/hub.ts';
import type { Tokenizer } from './tokenizer/types.ts';
import type { GgufHead } from './weights/gguf-format.ts';
import { readGgufHead } from './weights/gguf.ts';

/** Where a base model lies on this machine: plain, so that it can be sent to another process. */
export interface BaseLocation {
  /** Name in the registry. */
  readonly name: string;
  /** Its files, the weights first; what is made of them is written beside. */
  readonly directory: string;
  readonly files: readonly { readonly name: string }[];
}

/** Which of the bases of a name. */
export interface WhichBase {
  /** SHA-256 of its file of weights; else the manifest's. */
  readonly version?: string;
  /** The identity that an adapter was trained beside. */
  readonly weights?: string;
}

export const isGguf = ({ files }: BaseLocation): boolean => files[0]!.name.endsWith('.gguf');

/** The precision that a base's file has: models answer in it unless an adapter was trained beside the other one. */
export const ownPrecision = (location: BaseLocation): Precision => (isGguf(location) ? '4bit' : 'fp32');

export const otherPrecision = (precision: Precision): Precision => (precision === '4bit' ? 'fp32' : '4bit');

/** A base model that graphs can be built on, and its tokenizer. */
export interface LocalBase {
  readonly base: BaseModel;
  readonly tokenizer: Tokenizer;
}

/**
 * Opens a base model, converting it the first time, and anew where its files say something else by now.
 * @throws `CHIMERA_INVALID_INPUT` for files that are damaged, foreign or do not fit together
 */
export async function openLocalBase(location: BaseLocation, precision: Precision): Promise<LocalBase> {
  const { name, directory, files } = location;
  const { config, tokenizer } = await (isGguf(location) ? describedByGguf(location) : describedByHub(location));
  await convertBase(directory, precision, () => openModel(directory, files), config);
  return { base: await openBase(name, directory, precision), tokenizer };
}

/** What the files of a model say of it besides its weights. */
interface Description {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
}

/** The tokenizer of a base model alone. Throws as {@link openLocalBase} does. */
export const openTokenizer = async (location: BaseLocation): Promise<Tokenizer> =>
  isGguf(location) ? tokenizerInGguf(await headOf(location), location) : tokenizerInHub(location);

async function describedByGguf(location: BaseLocation): Promise<Description> {
  const head = await headOf(location);
  return { config: configOfGguf(head, location.files[0]!.name), tokenizer: tokenizerInGguf(head, location) };
}

const headOf = ({ directory, files: [file] }: BaseLocation): Promise<GgufHead> =>
  readGgufHead(join(directory, file!.name), file!.name);

function tokenizerInGguf({ metadata }: GgufHead, { name }: BaseLocation): Tokenizer {
  return tokenizerOfGguf(new Map([...metadata].map(([key, { value }]) => [key, value])), name);
}

const describedByHub = async (location: BaseLocation): Promise<Description> => ({
  config: await readHubConfig(location.directory),
  tokenizer: await tokenizerInHub(location),
});

async function tokenizerInHub({ name, directory, files }: BaseLocation): Promise<Tokenizer> {
  const optional = files.some((file) => file.name === 'tokenizer_config.json');
  const settings = optional ? await readFile(join(directory, 'tokenizer_config.json'), 'utf8') : undefined;
  const text = await readFile(join(directory, 'tokenizer.json'), 'utf8');
  return tokenizerOfHub(text, settings, name);
}
