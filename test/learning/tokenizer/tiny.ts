import { byteCharacters } from '../../../src/learning/tokenizer/decoder.ts';
import { tokenizerOfHub } from '../../../src/learning/tokenizer/hub.ts';
import type { Tokenizer } from '../../../src/learning/tokenizer/types.ts';

const SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];
const MERGES = [
  ['h', 'e'],
  ['l', 'l'],
  ['he', 'll'],
  ['hell', 'o'],
  ['Ġ', 't'],
  ['Ġt', 'he'],
  ['Ġ', 'w'],
  ['o', 'r'],
  ['Ġw', 'or'],
  ['l', 'd'],
  ['Ġwor', 'ld'],
  ['a', 'n'],
  ['Ã', '©'],
  ['Ġ', 'Ġ'],
] as const;

const TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/** `tokenizer.json` of byte-level BPE as SmolLM2 has it, with 3 special tokens, 256 bytes and 14 merges: 273 tokens. */
export function tinyByteLevelFile(): Record<string, unknown> & { model: Record<string, unknown> } {
  const tokens = [...SPECIAL, ...byteCharacters(), ...MERGES.map(([left, right]) => left + right)];
  return {
    added_tokens: SPECIAL.map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Digits', individual_digits: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: MERGES.map(([left, right]) => `${left} ${right}`),
    },
  };
}

export const tinyConfig = {
  bos_token: '<|im_start|>',
  eos_token: '<|im_end|>',
  pad_token: '<|endoftext|>',
  chat_template: TEMPLATE,
};

/** The same tokenizer as the metadata of a GGUF file. */
export function tinyGgufMetadata(): Record<string, unknown> {
  const { vocab, merges } = tinyByteLevelFile().model as { vocab: Record<string, number>; merges: string[] };
  const tokens = Object.keys(vocab).sort((a, b) => vocab[a]! - vocab[b]!);
  return {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'smollm',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.merges': merges,
    'tokenizer.ggml.token_type': tokens.map((_, id) => (id < SPECIAL.length ? 3 : 1)),
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.ggml.padding_token_id': 0,
    'tokenizer.ggml.add_bos_token': false,
    'tokenizer.chat_template': TEMPLATE,
  };
}

/** `tokenizer.json` of WordPiece as BERT has it: 5 special tokens, then letters, digits, marks and a few words. */
export function tinyWordPieceFile(): Record<string, unknown> & { model: Record<string, unknown> } {
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
  const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
  const words = [
    'hello',
    'world',
    'the',
    'mail',
    'spam',
    '##ing',
    '##ed',
    '##s',
    '漢',
    '字',
    '𠀀',
    'σ',
    '##σ',
    'ς',
    '##ς',
  ];
  const tokens = [...special, ...'.,!?\'"-:;()@#/', ...letters, ...letters.map((letter) => `##${letter}`), ...words];
  const unique = [...new Set(tokens)];
  return {
    added_tokens: special.map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
        { Sequence: { id: 'B', type_id: 1 } },
        { SpecialToken: { id: '[SEP]', type_id: 1 } },
      ],
      special_tokens: {
        '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
        '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
      },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(unique.map((token, id) => [token, id])),
    },
  };
}

/** A byte-level tokenizer of 273 tokens with a chat template, for tests of decoders. */
export const tinyTokenizer = (): Tokenizer => tokenizerOfHub(tinyByteLevelFile(), tinyConfig, 'the tiny tokenizer');

/** A WordPiece tokenizer, for tests of encoders. */
export const tinyWordPiece = (): Tokenizer => tokenizerOfHub(tinyWordPieceFile(), undefined, 'the tiny word pieces');
