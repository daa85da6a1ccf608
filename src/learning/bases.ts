import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Precision, BaseModel } from './architecture/base.ts';
import { convertBase, openBase } from './architecture/base-files.ts';
import { openModel } from './registry/open.ts';
import { tokenizerOfGguf } from './tokenizer/gguf.ts';
import { tokenizerOfHub } from './tokenizer/hub.ts';
import type { Tokenizer } from './tokenizer/types.ts';
import { readGguf } from './weights/gguf.ts';

/** Where a base model lies on this machine: plain, so that it can be sent to another process. */
export interface BaseLocation {
  /** Name in the registry. */
  readonly name: string;
  /** Its files, the weights first; what is made of them is written beside. */
  readonly directory: string;
  readonly files: readonly { readonly name: string }[];
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
 * Opens a base model, converting it the first time.
 * @throws `CHIMERA_INVALID_INPUT` for files that are damaged, foreign or do not fit together
 */
export async function openLocalBase(
  { name, directory, files }: BaseLocation,
  precision: Precision,
): Promise<LocalBase> {
  await convertBase(directory, precision, () => openModel(directory, files));
  return { base: await openBase(name, directory, precision), tokenizer: await openTokenizer(directory, files, name) };
}

async function openTokenizer(directory: string, files: BaseLocation['files'], name: string): Promise<Tokenizer> {
  const weights = files[0]!.name;
  if (weights.endsWith('.gguf')) {
    const { metadata } = readGguf(await readFile(join(directory, weights)), weights);
    return tokenizerOfGguf(new Map([...metadata].map(([key, { value }]) => [key, value])), name);
  }
  const optional = files.some((file) => file.name === 'tokenizer_config.json');
  const config = optional ? await readFile(join(directory, 'tokenizer_config.json'), 'utf8') : undefined;
  return tokenizerOfHub(await readFile(join(directory, 'tokenizer.json'), 'utf8'), config, name);
}
