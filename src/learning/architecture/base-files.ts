import { createHash } from 'node:crypto';
import { open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { ChimeraError } from '../../contracts/errors.ts';
import { tryLock, type Lock } from '../../machine/lock.ts';
import { isAlive } from '../../machine/processes.ts';
import { piecesOf } from '../weights/bytes.ts';
import type { Weights } from '../weights/types.ts';
import { createIdentity, layOut, type BaseModel, type Precision, type StoredTensor } from './base.ts';
import type { ModelConfig } from './config.ts';

/*
 * A base model on disk: the bytes of its tensors in one file that graphs refer to, and an index. Written once, and anew where the two
 * are not what the model's own files say.
 */

const ALIGNMENT = 4096;
/** Of the index, of how tensors lie in the file, and of the identity. Another one is written anew. */
const FORMAT = 3;
/** How often a waiting process asks whether the one that converts has ended. */
const LOCK_POLL_MS = 100;

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

type Index = z.output<typeof index>;

interface Paths {
  readonly index: string;
  readonly tensors: string;
  /** What is written here is moved to its place when it is whole; a process that is killed leaves it. */
  readonly drafts: { readonly index: string; readonly tensors: string };
  /** Of the file of tensors, as graphs name it. */
  readonly location: string;
}

function paths(directory: string, precision: Precision): Paths {
  const location = `${precision}.bin`;
  const [index, tensors] = [join(directory, `${precision}.json`), join(directory, location)];
  const drafts = { index: `${index}.${process.pid}`, tensors: `${tensors}.${process.pid}` };
  return { index, tensors, drafts, location };
}

/** A base model as its own files have it. */
interface ReadModel {
  readonly weights: Weights;
  readonly config: ModelConfig;
}

/**
 * Writes a base model into a directory, unless it is there. Cut off at any moment, it begins anew. One process converts, the others
 * wait for it.
 * @param config what the model's files say by now; where it is not given, all of them are read to know it
 */
export async function convertBase(
  directory: string,
  precision: Precision,
  load: () => Promise<ReadModel>,
  config?: ModelConfig,
): Promise<void> {
  const at = paths(directory, precision);
  const read = config === undefined ? await load() : undefined;
  const wanted = config ?? read!.config;
  if (await isWritten(at, wanted)) return;
  const lock = await waitForLock(join(directory, `${precision}.lock`));
  try {
    if (await isWritten(at, wanted)) return;
    await removeLeftovers(directory);
    await write(at, precision, read ?? (await load()));
  } finally {
    lock.release();
  }
}

/** Is it there, whole, with this configuration? */
async function isWritten(at: Paths, config: ModelConfig): Promise<boolean> {
  const { parsed, whole } = await readIndex(at);
  return whole && isDeepStrictEqual(parsed?.config, config);
}

async function waitForLock(path: string): Promise<Lock> {
  for (;;) {
    const taken = tryLock(path);
    if ('lock' in taken) return taken.lock;
    await delay(LOCK_POLL_MS);
  }
}

/** Removes what processes were writing when they were killed: of a large model, gigabytes each. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const [, pid] = /^(?:fp32|4bit)\.(?:bin|json)\.(\d+)$/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(directory, name), { force: true });
  }
}

async function write(at: Paths, precision: Precision, { weights, config }: ReadModel): Promise<void> {
  const { drafts } = at;
  try {
    const written = await writeTensors(drafts.tensors, precision, { weights, config });
    await rename(drafts.tensors, at.tensors);
    await writeFile(drafts.index, JSON.stringify({ format: FORMAT, precision, config, ...written }));
    await rename(drafts.index, at.index);
  } catch (error) {
    await Promise.all([drafts.tensors, drafts.index].map((path) => rm(path, { force: true })));
    throw error;
  }
}

async function writeTensors(
  path: string,
  precision: Precision,
  { weights, config }: ReadModel,
): Promise<Pick<Index, 'sha256' | 'file' | 'tensors'>> {
  const file = await open(path, 'w');
  const identity = createIdentity(config);
  const hash = createHash('sha256');
  const tensors: Index['tensors'] = {};
  let offset = 0;
  try {
    const append = async (bytes: Uint8Array): Promise<void> => {
      for (const piece of piecesOf(bytes)) hash.update(piece);
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
  } finally {
    await file.close();
  }
  return { sha256: identity.digest(), file: { sha256: hash.digest('hex'), bytes: offset }, tensors };
}

/**
 * A base model that {@link convertBase} has written.
 * @throws `CHIMERA_NOT_FOUND` where there is none, `CHIMERA_ARTIFACT_CORRUPT` where its files are cut off or foreign
 */
export async function openBase(name: string, directory: string, precision: Precision): Promise<BaseModel> {
  const at = paths(directory, precision);
  const { there, parsed, whole } = await readIndex(at);
  if (!there) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: `base model in ${precision}`, name });
  if (parsed === undefined || !whole) {
    throw new ChimeraError('CHIMERA_ARTIFACT_CORRUPT', { sha256: parsed?.file.sha256 ?? name });
  }
  const { sha256, config, tensors } = parsed;
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

/** Has {@link convertBase} written a base of this identity into a directory, in any precision? */
export async function holdsBase(directory: string, sha256: string): Promise<boolean> {
  const precisions = ['fp32', '4bit'] as const;
  const found = await Promise.all(precisions.map((precision) => readIndex(paths(directory, precision))));
  return found.some(({ parsed }) => parsed?.sha256 === sha256);
}

/** The index where it can be read; `whole` says that the file of tensors is there as far as its size tells. */
async function readIndex(at: Paths): Promise<{ there: boolean; parsed: Index | undefined; whole: boolean }> {
  const text = await readFile(at.index, 'utf8').catch(() => undefined);
  const parsed = index.safeParse(tryParse(text)).data;
  const size = await stat(at.tensors).then(
    ({ size: bytes }) => bytes,
    () => undefined,
  );
  return { there: text !== undefined, parsed, whole: parsed !== undefined && parsed.file.bytes === size };
}

function tryParse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
