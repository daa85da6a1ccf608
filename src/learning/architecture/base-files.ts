import { createHash } from 'node:crypto';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ChimeraError } from '../../contracts/errors.ts';
import type { Weights } from '../weights/types.ts';
import { createIdentity, layOut, type BaseModel, type Precision, type StoredTensor } from './base.ts';
import type { ModelConfig } from './config.ts';

/* A base model on disk: the bytes of its tensors in one file that graphs refer to, and an index. Written once. */

const ALIGNMENT = 4096;
/** Of the index and of how tensors lie in the file. Another one is written anew. */
const FORMAT = 2;

const index = z.object({
  format: z.literal(FORMAT),
  precision: z.enum(['fp32', '4bit']),
  config: z.record(z.string(), z.unknown()),
  sha256: z.string(),
  /** Of the file of tensors. */
  file: z.object({ sha256: z.string(), bytes: z.number() }),
  tensors: z.record(
    z.string(),
    z.object({
      type: z.number(),
      shape: z.array(z.number()),
      offset: z.number(),
      length: z.number(),
    }),
  ),
});

const paths = (directory: string, precision: Precision): { index: string; tensors: string; location: string } => {
  const location = `${precision}.bin`;
  return { index: join(directory, `${precision}.json`), tensors: join(directory, location), location };
};

/** Writes a base model into a directory, unless it is there. Cut off at any moment, it begins anew. */
export async function convertBase(
  directory: string,
  precision: Precision,
  load: () => Promise<{ readonly weights: Weights; readonly config: ModelConfig }>,
): Promise<void> {
  const at = paths(directory, precision);
  if (index.safeParse(tryParse(await read(at.index))).success) return;
  const { weights, config } = await load();
  const own = `${at.tensors}.${process.pid}`;
  const file = await open(own, 'w');
  const identity = createIdentity();
  const hash = createHash('sha256');
  const tensors: Record<string, z.output<typeof index>['tensors'][string]> = {};
  let offset = 0;
  try {
    const append = async (bytes: Uint8Array): Promise<void> => {
      hash.update(bytes);
      await file.writeFile(bytes);
      offset += bytes.length;
    };
    for (const group of layOut(weights, config, precision)) {
      // Pages of the file are mapped where a tensor begins at one.
      await append(new Uint8Array((ALIGNMENT - (offset % ALIGNMENT)) % ALIGNMENT));
      for (const { name, type, shape, data } of group) {
        const bytes = data as Uint8Array;
        tensors[name] = { type, shape: [...shape], offset, length: bytes.length };
        identity.add({ name, type, shape }, bytes);
        await append(bytes);
      }
    }
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(own, { force: true });
    throw error;
  }
  await file.close();
  const written = { sha256: hash.digest('hex'), bytes: offset };
  const sha256 = identity.digest();
  await rename(own, at.tensors);
  const document = { format: FORMAT, precision, config, sha256, file: written, tensors };
  await writeFile(`${at.index}.${process.pid}`, JSON.stringify(document));
  await rename(`${at.index}.${process.pid}`, at.index);
}

/**
 * A base model that {@link convertBase} has written.
 * @throws `CHIMERA_NOT_FOUND` where there is none, `CHIMERA_ARTIFACT_CORRUPT` where its files are cut off or foreign
 */
export async function openBase(name: string, directory: string, precision: Precision): Promise<BaseModel> {
  const at = paths(directory, precision);
  const text = await read(at.index);
  if (text === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: `base model in ${precision}`, name });
  const parsed = index.safeParse(tryParse(text));
  const size = await stat(at.tensors).then(
    ({ size: bytes }) => bytes,
    () => -1,
  );
  if (!parsed.success || size !== parsed.data.file.bytes) {
    throw new ChimeraError('CHIMERA_ARTIFACT_CORRUPT', { sha256: parsed.data?.file.sha256 ?? name });
  }
  const { sha256, config, tensors } = parsed.data;
  const stored = Object.entries(tensors).map(([tensor, { type, shape, offset, length }]): [string, StoredTensor] => [
    tensor,
    { type: type as StoredTensor['type'], shape, data: { location: at.location, offset, length } },
  ]);
  return {
    ...{ name, precision, sha256, directory },
    config: config as unknown as ModelConfig,
    tensors: new Map(stored),
  };
}

const read = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);

function tryParse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
