import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';

const END = 0x06054b50;
const END_BYTES = 22;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;

/**
 * One file out of a zip archive (APPNOTE.TXT of PKWARE, without zip64, encryption and comments at the end), as a stream.
 * For archives whose hash is known: no more is checked than that the file is there.
 */
export async function unzip(archive: string, name: string): Promise<Readable> {
  const { method, start, size } = await locate(archive, name);
  const bytes = createReadStream(archive, { start, end: start + size - 1 });
  if (method === STORED) return bytes;
  if (method === DEFLATED) return pipeline(bytes, createInflateRaw(), () => undefined);
  throw new Error(`compression ${method} is not known`);
}

interface Member {
  readonly method: number;
  /** Where its bytes lie in the archive. */
  readonly start: number;
  readonly size: number;
}

async function locate(archive: string, name: string): Promise<Member> {
  const file = await open(archive);
  try {
    const end = await read(file, (await file.stat()).size - END_BYTES, END_BYTES);
    if (end?.readUInt32LE(0) !== END) throw new Error('this is not a zip archive');
    const directory = await read(file, end.readUInt32LE(16), end.readUInt32LE(12));
    if (directory === undefined) throw new Error('the archive has no directory');
    let at = 0;
    for (let left = end.readUInt16LE(10); left > 0; left--) {
      if (directory.readUInt32LE(at) !== ENTRY) throw new Error(`no entry at byte ${at} of the directory`);
      const after = at + ENTRY_BYTES + directory.readUInt16LE(at + 28);
      if (directory.toString('utf8', at + ENTRY_BYTES, after) === name) {
        const local = directory.readUInt32LE(at + 42);
        const head = await read(file, local, LOCAL_BYTES);
        if (head?.readUInt32LE(0) !== LOCAL) throw new Error(`no file at byte ${local}`);
        const start = local + LOCAL_BYTES + head.readUInt16LE(26) + head.readUInt16LE(28);
        return { method: directory.readUInt16LE(at + 10), start, size: directory.readUInt32LE(at + 20) };
      }
      at = after + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    }
    throw new Error(`the archive has no ${name}`);
  } finally {
    await file.close();
  }
}

/** Undefined where the file has no such bytes. */
async function read(file: FileHandle, position: number, length: number): Promise<Buffer | undefined> {
  if (position < 0 || position + length > (await file.stat()).size) return undefined;
  return (await file.read({ buffer: Buffer.alloc(length), position })).buffer;
}
