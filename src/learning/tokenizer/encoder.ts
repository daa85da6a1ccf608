import { Tokenizer as Library } from '@huggingface/tokenizers';
import { bytePairs, type BytePairModel } from './byte-pairs.ts';
import { DIGIT_SPLIT, DIGITS_SPLIT, GPT2_SPLIT, split, type Split } from './patterns.ts';
import type { ByteLevelFile, PreTokenizer, TokenizerFile } from './schema.ts';
import { wordPieces } from './word-piece.ts';

/** Characters that are looked at together, for each token that is wanted. */
const CHARACTERS_PER_TOKEN = 8;
const FEWEST_CHARACTERS = 4096;

/** Chinese characters beyond the first plane, which the library takes for letters of one word. Source: BERT, `_is_chinese_char`. */
const FAR_CHINESE = /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/** A longer run of marks on one letter is cut: their order takes quadratic time, and no text has so many. */
const MARKS = /(\p{M}{64})\p{M}+/gu;

export const withFewerMarks = (text: string): string => text.replace(MARKS, '$1');

const SPACE = /\S /g;

/** Tokens of a text, the first `limit` of them. */
export type Encoder = (text: string, limit?: number) => number[];

export function encoderOf(file: TokenizerFile, merges: readonly (readonly [string, string])[]): Encoder {
  const library = new Library(libraryFile(file, merges), {});
  const model = library.model!;
  const tokensOf =
    file.model.type === 'WordPiece' ? wordPieces(file.model) : bytePairs(model as unknown as BytePairModel);
  // The library asks for each part between added tokens.
  let left = Infinity;
  model.encode = (pieces: string[]): string[] => {
    const tokens = tokensOf(pieces, left);
    left -= tokens.length;
    return tokens;
  };
  const prepare = preparation(file);
  /** All tokens where there are no more than `most`, else the first of them. */
  const encode = (text: string, most: number): number[] => {
    left = most;
    return library.encode(prepare(text), { add_special_tokens: false }).ids;
  };
  // Some tokens lie across a space, or take the spaces behind them away.
  const isCuttable = file.added_tokens.every(({ content, rstrip }) => !rstrip && !/\S /.test(content));
  return (text, limit) => {
    if (limit === undefined) return encode(text, Infinity);
    const tokens: number[] = [];
    const characters = Math.max(FEWEST_CHARACTERS, limit * CHARACTERS_PER_TOKEN);
    for (let at = 0; at < text.length && tokens.length < limit;) {
      const wanted = limit - tokens.length;
      const near = at + characters;
      const end = isCuttable ? spaceAfter(text, near) : text.length;
      // Where no space is near, the text is cut within a word, and only tokens far from there are taken.
      let found = end > near + FEWEST_CHARACTERS ? encode(text.slice(at, near), 2 * wanted) : [];
      if (found.length < 2 * wanted) found = encode(text.slice(at, end), wanted);
      for (const token of found) tokens.push(token);
      at = end;
    }
    return tokens.slice(0, limit);
  };
}

/** Puts right what the library's normalizers do not as the original ones do. */
function preparation({ normalizer }: TokenizerFile): (text: string) => string {
  if (normalizer?.type !== 'BertNormalizer') return (text) => (normalizer ? withFewerMarks(text) : text);
  return (text) => {
    const apart = normalizer.handle_chinese_chars ? text.replace(FAR_CHINESE, ' $& ') : text;
    // JavaScript lowers a sigma at the end of a word to another letter than one within.
    return withFewerMarks(normalizer.lowercase ? apart.replaceAll('Σ', 'σ') : apart);
  };
}

/** The first place from `from` on that no token lies across, a space after a character that is none; else the end. */
function spaceAfter(text: string, from: number): number {
  SPACE.lastIndex = from;
  const found = from < text.length ? SPACE.exec(text) : null;
  return found === null ? text.length : found.index + 1;
}

/** The file as the library takes it. */
function libraryFile(file: TokenizerFile, merges: readonly (readonly [string, string])[]): object {
  const { model, added_tokens } = file;
  const parts = { added_tokens, post_processor: null, decoder: null, normalizer: file.normalizer ?? null };
  return model.type === 'WordPiece'
    ? { ...parts, model, pre_tokenizer: file.pre_tokenizer }
    : { ...parts, model: { ...model, merges }, pre_tokenizer: bytePreTokenizer(file as ByteLevelFile) };
}

/**
 * Splits, then bytes. The library's own `Digits` and GPT-2 pattern know only ASCII digits and other spaces than the original, which
 * its `Split` does right.
 */
function bytePreTokenizer({ pre_tokenizer }: ByteLevelFile): object {
  const steps = pre_tokenizer.type === 'Sequence' ? pre_tokenizer.pretokenizers : [pre_tokenizer];
  return {
    type: 'Sequence',
    pretokenizers: [...steps.flatMap(splitsOf), { type: 'ByteLevel', add_prefix_space: false, use_regex: false }],
  };
}

function splitsOf(step: PreTokenizer): Split[] {
  switch (step.type) {
    case 'ByteLevel':
      return step.use_regex ? [GPT2_SPLIT] : [];
    case 'Digits':
      return [step.individual_digits ? DIGIT_SPLIT : DIGITS_SPLIT];
    case 'Split':
      return [split(step.pattern.Regex)];
  }
}
