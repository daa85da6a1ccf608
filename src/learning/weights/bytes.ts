import { open } from 'node:fs/promises';

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
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await file.read(bytes, at, Math.min(piece, bytes.length - at), at);
      // It was cut off since: its reader says what is missing.
      if (bytesRead === 0) return bytes.subarray(0, at);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

/** Views of bytes one after another, each of a length that one call takes. */
export function* piecesOf(bytes: Uint8Array, piece = PIECE): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}
