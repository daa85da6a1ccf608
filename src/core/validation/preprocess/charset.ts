/** A text in which every UTF-16 code unit is one byte (0 to 255): the cheapest form in which to cut up a message. */
export type BinaryText = string;

const NOT_ASCII = /[^\0-\x7f]/;
const NOT_LATIN1 = /[^\0-\xff]/;
const encoder = new TextEncoder();
type Decoder = InstanceType<typeof TextDecoder>;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });
const decoders = new Map<string, Decoder | undefined>();

/** Is every character below U+0080? Then the text is the same in every charset that mail uses for plain bytes. */
export function isAscii(text: string): boolean {
  return !NOT_ASCII.test(text);
}

/**
 * The bytes of a message that arrived as a JSON string. A sender either put one byte into each character (all are below
 * U+0100) or decoded the message as Unicode; the second is taken back to UTF-8, which {@link decodeText} recognises.
 */
export function toBinaryText(text: string): BinaryText {
  return NOT_LATIN1.test(text) ? bytesToBinaryText(encoder.encode(text)) : text;
}

export function bytesToBinaryText(bytes: Uint8Array): BinaryText {
  let text = '';
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return text;
}

export function binaryTextToBytes(text: BinaryText): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  // Where the encoder writes as many bytes as there are characters, each is one.
  const { read, written } = encoder.encodeInto(text, bytes);
  if (read === text.length && written === text.length) return bytes;
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** What windows-1252 has at 0x80 to 0x9f; where it has nothing, the C1 control stays. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/** Done here, since some engines' decoder of that name leaves these characters as controls. */
function decodeWindows1252(text: BinaryText): string {
  return text.replace(/[\x80-\x9f]/g, (character) => WINDOWS_1252[character.charCodeAt(0) - 0x80]!);
}

function decoderOf(label: string): Decoder | undefined {
  if (decoders.has(label)) return decoders.get(label);
  let decoder: Decoder | undefined;
  try {
    decoder = new TextDecoder(label);
  } catch {
    decoder = undefined;
  }
  // Labels come from outside: remember a few hundred, not every one that somebody makes up.
  if (decoders.size < 256) decoders.set(label, decoder);
  return decoder;
}

/**
 * Bytes as text, repaired: valid UTF-8 wins over what the message declares (mail lies about its charset more often than
 * bytes of another charset happen to be valid UTF-8), then the declared charset, then windows-1252, which decodes
 * everything. ISO-2022-JP and its kin are pure ASCII bytes with escapes, so they are asked for first.
 */
export function decodeText(text: BinaryText, charset: string | undefined): string {
  const label = charset?.trim().toLowerCase() ?? '';
  const escapes = label.startsWith('iso-2022') || label === 'utf-7' || label.startsWith('utf-16');
  if (!escapes && isAscii(text)) return text;
  const bytes = binaryTextToBytes(text);
  if (escapes) {
    const decoder = decoderOf(label);
    if (decoder !== undefined) return decoder.decode(bytes);
  }
  try {
    return strictUtf8.decode(bytes);
  } catch {
    const declared = decoderOf(label);
    if (declared === undefined || ['utf-8', 'windows-1252'].includes(declared.encoding)) return decodeWindows1252(text);
    return declared.decode(bytes);
  }
}
