import { existsSync } from 'node:fs';
import { access, constants, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { invalidInput } from '../contracts/errors.ts';

type SystemError = NodeJS.ErrnoException & { readonly dest?: string };

/** What is wrong with a file that somebody named, in one line; undefined for another error. */
export function fileProblem(error: unknown): string | undefined {
  const { code, syscall = '', path: source, dest } = error as SystemError;
  const path = code === 'EEXIST' ? (dest ?? source) : source;
  // Reading a folder, the system does not say which.
  if (path === undefined) return code === 'EISDIR' ? 'a folder is named where a file belongs' : undefined;
  // A program that is not there has a path as well.
  if (syscall.startsWith('spawn')) return undefined;
  switch (code) {
    case 'ENOENT':
      return existsSync(dirname(path)) ? `there is no file ${path}` : `there is no folder ${dirname(path)} for ${path}`;
    case 'EISDIR':
      return `${path} is a folder, not a file`;
    case 'ENOTDIR':
      return `${path} cannot be there: what should be a folder is a file`;
    case 'EEXIST':
      return syscall === 'mkdir' ? `${path} is there already, and is no folder` : `${path} is there already`;
    case 'EACCES':
    case 'EPERM':
      return `${path} may not be used: permission denied`;
    case 'EROFS':
      return `${path} cannot be written: its file system is read-only`;
    case 'ENAMETOOLONG':
      return `${path} is too long a name for a file`;
    default:
      return undefined;
  }
}

/** Reads a file; an error always says which one, which those of the system do not for a folder. */
export const readNamed = (path: string): Promise<Buffer> => naming(path, () => readFile(path));

/** Does work with a file whose errors always say which one. */
export async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw Object.assign(error as Error, { path });
  }
}

/** Throws what reading the file would throw: before a request is begun whose body it is to be. */
export async function requireReadable(path: string): Promise<void> {
  await access(path, constants.R_OK);
  if ((await stat(path)).isDirectory()) await readNamed(path);
}

/** @throws {ChimeraError} CHIMERA_INVALID_INPUT that names every file that is there */
export function refuseThere(files: readonly string[]): void {
  const problems = files.filter((path) => existsSync(path)).map((path) => ({ path, message: 'is there already' }));
  if (problems.length > 0) throw invalidInput('--out', problems);
}

/** Writes a file and the folder around it. Throws as {@link refuseThere}: nothing is written over. */
export async function writeNew(file: string, bytes: Uint8Array): Promise<void> {
  refuseThere([file]);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes, { flag: 'wx' });
}
