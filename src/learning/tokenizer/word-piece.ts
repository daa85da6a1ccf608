import type { WordPieceFile } from './schema.ts';

/**
 * Pieces of words, the longest first from the left; a word that has characters left over is unknown as a whole. As in the library
 * but for the time: no piece that is longer than every token is looked up, of which a text made for it has very many, and no word after
 * there are `most` pieces.
 * Source: BERT, `WordpieceTokenizer`.
 */
export function wordPieces(model: WordPieceFile['model']): (words: string[], most: number) => string[] {
  const tokens = new Set(Object.keys(model.vocab));
  let longest = 0;
  for (const token of tokens) longest = Math.max(longest, token.length);
  const piecesOf = (word: string): string[] => {
    const characters = Array.from(word);
    if (characters.length > model.max_input_chars_per_word) return [model.unk_token];
    const pieces: string[] = [];
    for (let start = 0; start < characters.length;) {
      let end = Math.min(characters.length, start + longest);
      let piece = '';
      for (; end > start; end--) {
        piece = (start > 0 ? model.continuing_subword_prefix : '') + characters.slice(start, end).join('');
        if (tokens.has(piece)) break;
      }
      if (end === start) return [model.unk_token];
      pieces.push(piece);
      start = end;
    }
    return pieces;
  };
  return (words, most) => {
    const pieces: string[] = [];
    for (const word of words) {
      if (pieces.length >= most) break;
      pieces.push(...piecesOf(word));
    }
    return pieces;
  };
}
