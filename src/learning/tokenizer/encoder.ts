import { Tokenizer as Library } from '@huggingface/tokenizers';
import { DIGIT_SPLIT, DIGITS_SPLIT, GPT2_SPLIT, split, type Split } from './patterns.ts';
import type { ByteLevelFile, PreTokenizer, TokenizerFile } from './schema.ts';
import { wordPieces } from './word-piece.ts';

/** Characters that are looked at first, for each token that is wanted. */
const CHARACTERS_PER_TOKEN = 8;
const FEWEST_CHARACTERS = 4096;
/** A longer run of marks on one letter is cut: their order takes quadratic time, and no text has so many. */
const MARKS = /(\p{M}{64})\p{M}+/gu;

/** Chinese characters beyond the first plane, which the library takes for letters of one word. Source: BERT, `_is_chinese_char`. */
const FAR_CHINESE = /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/** Tokens of a text, the first `limit` of them. */
export type Encoder = (text: string, limit?: number) => number[];

export function encoderOf(file: TokenizerFile, merges: readonly (readonly [string, string])[]): Encoder {
  const library = new Library(libraryFile(file, merges), {});
  if (file.model.type === 'WordPiece') library.model!.encode = wordPieces(file.model);
  const prepare = preparation(file);
  const encode = (text: string): number[] => library.encode(prepare(text), { add_special_tokens: false }).ids;
  const anywhere = file.added_tokens.some(({ content }) => /\S /.test(content));
  return (text, limit) => {
    if (limit === undefined) return encode(text);
    for (let from = Math.max(FEWEST_CHARACTERS, limit * CHARACTERS_PER_TOKEN); from < text.length; from *= 2) {
      const space = anywhere ? undefined : spaceAfter(text, from);
      const tokens = encode(text.slice(0, space ?? from));
      // Where no space is near, the text is cut within a word, and only tokens far from there are taken.
      if (tokens.length >= (space === undefined ? 2 * limit : limit)) return tokens.slice(0, limit);
    }
    return encode(text).slice(0, limit);
  };
}

/** Puts right what the library's normalizers do not as the original ones do. */
function preparation({ normalizer }: TokenizerFile): (text: string) => string {
  if (normalizer?.type !== 'BertNormalizer') return (text) => (normalizer ? text.replace(MARKS, '$1') : text);
  return (text) => {
    const apart = normalizer.handle_chinese_chars ? text.replace(FAR_CHINESE, ' $& ') : text;
    // JavaScript lowers a sigma at the end of a word to another letter than one within.
    return (normalizer.lowercase ? apart.replaceAll('Σ', 'σ') : apart).replace(MARKS, '$1');
  };
}

/** The first place near `from` that no token lies across: a space after a character that is none. */
function spaceAfter(text: string, from: number): number | undefined {
  const found = /\S /.exec(text.slice(from, from + FEWEST_CHARACTERS));
  return found === null ? undefined : from + found.index + 1;
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
