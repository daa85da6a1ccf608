import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hubConfig } from '../../bench/learning/hub-config.ts';
import type { BaseLocation } from '../../src/learning/bases.ts';
import { encodeSafetensors } from '../../src/learning/weights/safetensors.ts';
import { TINY_DECODER, TINY_ENCODER, tinyWeights } from './tiny.ts';
import { tinyByteLevelFile, tinyWordPieceFile } from './tokenizer/tiny.ts';

/* The tiny models as files of a checkpoint, as the registry has those of real ones. */

export type TinyFamily = 'encoder' | 'decoder';

/** A temporary folder with a tiny base model, and how to remove it. */
export async function writeTinyBase(family: TinyFamily): Promise<{ base: BaseLocation; remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'chimera-tiny-'));
  const config = family === 'encoder' ? TINY_ENCODER : TINY_DECODER;
  const weights = tinyWeights(config);
  const tensors = weights.names.map((name) => [name, { shape: weights.shape(name), data: weights.f32(name) }] as const);
  const files = {
    'model.safetensors': encodeSafetensors(new Map(tensors), { format: 'pt' }),
    'config.json': JSON.stringify(hubConfig(config)),
    'tokenizer.json': JSON.stringify(tinyTokenizer(family)),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
  const base = { name: `tiny-${family}`, directory, files: Object.keys(files).map((name) => ({ name })) };
  return { base, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** A `tokenizer.json` whose tokens are fewer than the tiny model's vocabulary. */
export const tinyTokenizer = (family: TinyFamily): object =>
  family === 'encoder' ? tinyWordPieceFile() : tinyByteLevelFile();
