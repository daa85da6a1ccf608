import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { ChimeraError, invalidInput } from '../contracts/errors.ts';
import { readNamed } from './file-errors.ts';

/** The bytes of a file, or of standard input for `-` or nothing. */
export function readInput(file: string | undefined): Promise<Buffer> {
  return file === undefined || file === '-' ? buffer(process.stdin) : readNamed(file);
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ChimeraError('CHIMERA_MALFORMED_JSON', { why: `${what}: ${(error as Error).message}` }, { cause: error });
  }
}

/** The values of an NDJSON file or standard input, read as they are taken. */
export async function* readNdjson<T>(file: string | undefined): AsyncGenerator<T> {
  const input = file === undefined || file === '-' ? process.stdin : createReadStream(file);
  let number = 0;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    if (line.trim() !== '') yield parseJson(line, `line ${number}`) as T;
  }
}

/** A whole number given as an option. */
export function wholeNumber(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw invalidInput('the command line', [{ path: flag, message: `must be a whole number, not ${text}` }]);
}
