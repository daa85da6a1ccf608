/** The library's model of byte pairs, as far as it is used here. */
export interface BytePairModel {
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  encode(pieces: string[]): string[];
  /** Tokens of one piece, those included that the vocabulary does not have. */
  bpe(piece: string): readonly string[];
}

/** Of a longer piece so many characters are merged at a time: all at once take seconds where there are a million. */
const WINDOW = 16_384;
/**
 * What lies so near to where a window is cut might belong together with what comes behind, so it is read again with that. Between two
 * tokens a piece may be cut without a change, as nothing was merged across. No token has more than half as many characters.
 */
const MARGIN = 2_048;

/** Tokens of pieces until there are `most`, maybe some more. */
export function bytePairs(model: BytePairModel): (pieces: string[], most: number) => string[] {
  const encode = model.encode.bind(model);
  const readFirst = (piece: string, tokens: string[], most: number): void => {
    for (let at = 0; at < piece.length && tokens.length < most;) {
      const end = at + WINDOW;
      const sure = end < piece.length ? end - MARGIN : piece.length;
      for (const token of model.bpe(piece.slice(at, end))) {
        if (at + token.length > sure) break;
        at += token.length;
        if (model.tokens_to_ids.has(token)) tokens.push(token);
      }
    }
  };
  return (pieces, most) => {
    if (most === Infinity) return encode(pieces);
    const tokens: string[] = [];
    for (const piece of pieces) {
      if (tokens.length >= most) break;
      if (piece.length > WINDOW) readFirst(piece, tokens, most);
      else tokens.push(...encode([piece]));
    }
    return tokens;
  };
}
