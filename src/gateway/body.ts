import type { Readable } from 'node:stream';
import { ChimeraError } from '../contracts/errors.ts';

/** Bytes of a refused body that are read away before the refusal is sent: a peer that still sends would not read it. */
const DRAIN_BYTES = 64 * 1024 * 1024;

/**
 * Reads a body of at most `limit` bytes. One that is longer is never held: it is thrown away as it comes in.
 * @throws {ChimeraError} CHIMERA_TOO_LARGE
 */
export async function readBody(stream: Readable, limit: number, declared?: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= limit && (declared ?? 0) <= limit) chunks.push(chunk);
    else chunks.length = 0;
    if (bytes > limit + DRAIN_BYTES) break;
  }
  const actual = Math.max(bytes, declared ?? 0);
  if (actual > limit) throw tooLarge('the body', actual, limit);
  return Buffer.concat(chunks, bytes);
}

export function tooLarge(what: string, actual: number, limit: number): ChimeraError {
  return new ChimeraError('CHIMERA_TOO_LARGE', { what, actual: `${actual} bytes`, limit: `${limit} bytes` });
}

/** One line of an NDJSON body. */
export interface Line {
  /** From 1, as editors count. */
  readonly number: number;
  /** Without the line end; `undefined`: it was longer than the limit and is not kept. */
  readonly bytes: Uint8Array | undefined;
}

const NEWLINE = 0x0a;

/** The lines of a stream that are not blank. The stream is read only as fast as the lines are taken. */
export async function* readLines(stream: AsyncIterable<Uint8Array>, maxLineBytes: number): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let number = 1;
  const take = (part: Uint8Array): void => {
    length += part.length;
    if (length <= maxLineBytes) parts.push(part);
    else parts = [];
  };
  const finish = (): Line => {
    const bytes = length <= maxLineBytes ? Buffer.concat(parts, length) : undefined;
    const line = { number, bytes };
    parts = [];
    length = 0;
    number += 1;
    return line;
  };
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      take(chunk.subarray(start, end));
      start = end + 1;
      const line = finish();
      if (!isBlank(line)) yield line;
    }
    take(chunk.subarray(start));
  }
  if (length > 0) {
    const line = finish();
    if (!isBlank(line)) yield line;
  }
}

function isBlank({ bytes }: Line): boolean {
  return bytes !== undefined && bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

/** Groups of `size`, the last one shorter. */
export async function* chunked<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length === size) {
      yield group;
      group = [];
    }
  }
  if (group.length > 0) yield group;
}
