import { Buffer } from 'node:buffer';
import { byteCharacters } from './decoder.ts';
import { withFewerMarks } from './encoder.ts';
import type { TokenizerFile } from './schema.ts';

/**
 * How many tokens a text has at least, told by its size: far quicker than its tokens. None stands for more bytes than the longest one,
 * and only bytes that are no tokens themselves may be left out. Nothing is known, which is 0, where unknown words are one token whatever
 * their length, and where tokens take the spaces around them away.
 */
export function fewestOf({ model, added_tokens, normalizer }: TokenizerFile): (text: string) => number {
  if (model.type === 'WordPiece' || added_tokens.some(({ lstrip, rstrip }) => lstrip || rstrip)) return () => 0;
  const counts = Uint8Array.from(byteCharacters(), (character) => Number(Object.hasOwn(model.vocab, character)));
  let longest = 1;
  // In the vocabulary a character is a byte.
  for (const token of Object.keys(model.vocab)) longest = Math.max(longest, token.length);
  for (const { content } of added_tokens) {
    for (const form of [content, content.normalize('NFC')]) longest = Math.max(longest, Buffer.byteLength(form));
  }
  const fewest = (text: string): number => {
    let bytes = 0;
    for (const byte of Buffer.from(text)) bytes += counts[byte]!;
    return Math.ceil(bytes / longest);
  };
  // What is normalized may be shorter.
  return normalizer ? (text) => Math.min(fewest(text), fewest(withFewerMarks(text).normalize('NFC'))) : fewest;
}
