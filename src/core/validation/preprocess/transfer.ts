import type { BinaryText } from './charset.ts';

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const SEXTET = new Int8Array(256).fill(-1);
for (let i = 0; i < 64; i++) SEXTET[BASE64.charCodeAt(i)] = i;

/** Base64 (RFC 2045 §6.8), forgiving: characters outside the alphabet are skipped, a truncated last group is kept. */
export function decodeBase64(text: BinaryText): BinaryText {
  const parts: string[] = [];
  let chunk: number[] = [];
  let bits = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x3d) break;
    const sextet = SEXTET[code & 0xff]!;
    if (sextet < 0) continue;
    held = ((held << 6) | sextet) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    chunk.push((held >> bits) & 0xff);
    if (chunk.length < 4096) continue;
    parts.push(String.fromCharCode(...chunk));
    chunk = [];
  }
  parts.push(String.fromCharCode(...chunk));
  return parts.join('');
}

/** Quoted-printable (RFC 2045 §6.7), forgiving: what is no valid escape stays as it is. */
export function decodeQuotedPrintable(text: BinaryText): BinaryText {
  if (!text.includes('=')) return text;
  return text.replace(/=(?:([0-9A-Fa-f]{2})|[ \t]{0,64}\r?\n)/g, (_, hex: string | undefined) =>
    hex === undefined ? '' : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** The body of a part by its `Content-Transfer-Encoding`; an unknown one is taken as it is. */
export function decodeTransfer(text: BinaryText, encoding: string | undefined): BinaryText {
  const name = encoding?.trim().toLowerCase() ?? '';
  if (name.startsWith('base64')) return decodeBase64(text);
  if (name.startsWith('quoted-printable')) return decodeQuotedPrintable(text);
  return text;
}
