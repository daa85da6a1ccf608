import { createHash } from 'node:crypto';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Problem } from '../../contracts/errors.ts';
import type { ModelFile } from './manifest.ts';

/** Where the files of a version of a base model lie. */
export function modelDirectory(cacheDir: string, name: string, version: string): string {
  return join(cacheDir, 'models', name, version);
}

/** Do files lie in a directory, as far as their sizes say? */
export function isDownloaded(directory: string, files: readonly ModelFile[]): boolean {
  return files.every(({ name, bytes }) => sizeOf(join(directory, name)) === bytes);
}

/** What is wrong with files of a directory: missing, of another size, of another hash. Reads all of them. */
export async function checkFiles(directory: string, files: readonly ModelFile[]): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const file of files) {
    const message = await wrongWith(join(directory, file.name), file);
    if (message !== undefined) problems.push({ path: file.name, message });
  }
  return problems;
}

/** What is wrong with the file at `path`; undefined where it is the pinned one. */
export async function wrongWith(path: string, { bytes, sha256 }: ModelFile): Promise<string | undefined> {
  if (!existsSync(path)) return 'is missing';
  const actualBytes = sizeOf(path);
  if (actualBytes !== bytes) return `has ${actualBytes} bytes, pinned are ${bytes}`;
  const actual = await hashOf(path);
  return actual === sha256 ? undefined : `has SHA-256 ${actual}, pinned is ${sha256}`;
}

/** Bytes of a file; 0 where there is none. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

export async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
