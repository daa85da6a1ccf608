import { Tokenizer as Library } from '@huggingface/tokenizers';
import { DIGIT_SPLIT, DIGITS_SPLIT, GPT2_SPLIT, split, type Split } from './patterns.ts';
import type { ByteLevelFile, PreTokenizer, TokenizerFile } from './schema.ts';

/** Characters that are looked at first, for each token that is wanted. */
const CHARACTERS_PER_TOKEN = 8;
const FEWEST_CHARACTERS = 4096;
/** A longer run of marks on one letter is cut: their order takes quadratic time, and no text has so many. */
const MARKS = /(\p{M}{64})\p{M}+/gu;

/** Tokens of a text, the first `limit` of them. */
export type Encoder = (text: string, limit?: number) => number[];

export function encoderOf(file: TokenizerFile, merges: readonly (readonly [string, string])[]): Encoder {
  const library = new Library(libraryFile(file, merges), {});
  const encode = (text: string): number[] =>
    library.encode(text.replace(MARKS, '$1'), { add_special_tokens: false }).ids;
  const cuttable = !file.added_tokens.some(({ content }) => /\S /.test(content));
  return (text, limit) => {
    if (limit === undefined) return encode(text);
    for (let from = Math.max(FEWEST_CHARACTERS, limit * CHARACTERS_PER_TOKEN); cuttable; from *= 2) {
      const end = cutAfter(text, from);
      if (end === undefined) break;
      const tokens = encode(text.slice(0, end));
      if (tokens.length >= limit) return tokens.slice(0, limit);
    }
    return encode(text).slice(0, limit);
  };
}

/** The first place from `from` on where no token can lie across: a space after a character that is none. */
function cutAfter(text: string, from: number): number | undefined {
  const cut = /\S /g;
  cut.lastIndex = from;
  const found = cut.exec(text);
  return found === null ? undefined : found.index + 1;
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
