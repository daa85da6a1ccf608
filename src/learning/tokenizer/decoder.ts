/** Text of tokens, one after another; nothing remains of tokens that have none. */
export interface Pieces {
  push(token: number): string;
  end(): string;
}

/** A decoder starts anew for each text. */
export type Decoder = () => Pieces;

/**
 * The characters that stand for bytes in byte-level vocabularies: printable ones for themselves, the others moved to U+0100 and up.
 * Source: `bytes_to_unicode` of openai/gpt-2, encoder.py.
 */
export function byteCharacters(): readonly string[] {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let moved = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : moved++));
}

/**
 * Byte-level tokens are pieces of UTF-8: characters come out when they are whole, and bytes that are none become U+FFFD as in every
 * UTF-8 decoder. `tokens` has the token of each number, and nothing for those to leave out.
 */
export function byteLevelDecoder(tokens: readonly (string | undefined)[]): Decoder {
  const byteOf = new Map(byteCharacters().map((character, byte) => [character, byte]));
  const encoder = new TextEncoder();
  const bytesOf = (token: string): Uint8Array => {
    const bytes = Array.from(token, (character) => byteOf.get(character));
    return bytes.includes(undefined) ? encoder.encode(token) : Uint8Array.from(bytes as number[]);
  };
  return () => {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (token) => {
        const text = tokens[token];
        return text === undefined ? '' : decoder.decode(bytesOf(text), { stream: true });
      },
      end: () => decoder.decode(),
    };
  };
}

/** Word pieces: the parts of a word are joined, words get a space between them, and with `cleanup` none before a mark. */
export function wordPieceDecoder(
  tokens: readonly (string | undefined)[],
  { prefix, cleanup }: { readonly prefix: string; readonly cleanup: boolean },
): Decoder {
  const joined = new Set(cleanup ? ['.', '?', '!', ',', "n't", "'m", "'s", "'ve", "'re"] : []);
  return () => {
    let first = true;
    return {
      push: (token) => {
        const text = tokens[token];
        if (text === undefined) return '';
        if (first) {
          first = false;
          return text;
        }
        return text.startsWith(prefix) ? text.slice(prefix.length) : joined.has(text) ? text : ` ${text}`;
      },
      end: () => '',
    };
  };
}
