import { open, type FileHandle } from 'node:fs/promises';

/** `readFile` refuses 2 GiB, and so does one call of a read or of a hash. */
const PIECE = 1 << 30;

/**
 * The bytes of a file of any size, or its first ones.
 * @param most how many are read at most
 * @param piece how many are read at once
 */
export async function readBytes(
  path: string,
  { most = Infinity, piece = PIECE }: { readonly most?: number; readonly piece?: number } = {},
): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const bytes = new Uint8Array(Math.min((await file.stat()).size, most));
    // One that was cut off since: its reader says what is missing.
    return bytes.subarray(0, await fillBytes(file, bytes, { piece }));
  } finally {
    await file.close();
  }
}

/**
 * Reads a part of a file to where it is in its bytes.
 * @returns where the file ended, or the part
 */
export async function fillBytes(
  file: FileHandle,
  bytes: Uint8Array,
  {
    from = 0,
    to = bytes.length,
    piece = PIECE,
  }: { readonly from?: number; readonly to?: number; readonly piece?: number } = {},
): Promise<number> {
  let at = from;
  while (at < to) {
    const { bytesRead } = await file.read(bytes, at, Math.min(piece, to - at), at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
}

/** Views of bytes one after another, each of a length that one call takes. */
export function* piecesOf(bytes: Uint8Array, piece = PIECE): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}
