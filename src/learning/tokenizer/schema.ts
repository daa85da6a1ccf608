import { z } from 'zod';
import { KNOWN_PATTERNS } from './patterns.ts';

/*
 * What of a `tokenizer.json` is understood: WordPiece as BERT has it, and byte-level BPE as GPT-2 and its heirs have it. Whatever
 * else a file asks for is refused by name, since a tokenizer that is nearly right spoils a model without a sign.
 */

const MOST_ADDED = 8192;
const LONGEST_NAME = 256;

/** The message of a part whose `type` is not one of `known`. */
const oneOf = (kind: string, known: string) => ({
  error: ({ input }: { input?: unknown }): string => {
    const type = (input as { type?: unknown } | null | undefined)?.type;
    const name = typeof type === 'string' ? `"${type.slice(0, 40)}"` : 'without a type';
    return `the ${kind} ${name} is not supported; known: ${known}`;
  },
});

const off = (what: string) =>
  z.union([z.null(), z.literal(false), z.literal('')], `${what} is not supported`).optional();
const name = z.string().min(1).max(LONGEST_NAME);
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
/** Tokens and their numbers, checked one by one elsewhere: a vocabulary may hold any name, `__proto__` too. */
const vocabulary = z.custom<Record<string, unknown>>(isObject, 'an object of tokens and their numbers is needed');

const added = z.object({
  id: z.number(),
  content: name,
  special: z.boolean().default(false),
  normalized: z.boolean().optional(),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  single_word: z.literal(false, 'single_word is not supported').default(false),
});

const place = z.union(
  [z.object({ SpecialToken: z.object({ id: name }) }), z.object({ Sequence: z.object({ id: z.literal('A') }) })],
  'a special token or sequence A is needed',
);
const around = z.tuple([name, z.number()]);
const simplePostProcessor = [
  z.object({ type: z.literal('TemplateProcessing'), single: z.array(place).max(16) }),
  z.object({ type: z.literal(['BertProcessing', 'RobertaProcessing']), sep: around, cls: around }),
  z.object({ type: z.literal('ByteLevel') }),
] as const;
const postProcessorNames = oneOf(
  'post-processor',
  'TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and a Sequence of them',
);
const onePostProcessor = z.discriminatedUnion('type', simplePostProcessor, postProcessorNames);
const postProcessor = z.discriminatedUnion(
  'type',
  [...simplePostProcessor, z.object({ type: z.literal('Sequence'), processors: z.array(onePostProcessor).max(8) })],
  postProcessorNames,
);

const common = {
  added_tokens: z.array(added).max(MOST_ADDED).default([]),
  post_processor: postProcessor.nullish(),
  padding: z.object({ pad_token: name.optional() }).nullish(),
};

const wordPiece = z.object({
  ...common,
  model: z.object({
    type: z.literal('WordPiece'),
    vocab: vocabulary,
    unk_token: name,
    continuing_subword_prefix: z.string().min(1).max(8),
    max_input_chars_per_word: z.number().int().min(1).max(200).default(100),
  }),
  normalizer: z.discriminatedUnion(
    'type',
    [
      z.object({
        type: z.literal('BertNormalizer'),
        clean_text: z.boolean().default(true),
        handle_chinese_chars: z.boolean().default(true),
        strip_accents: z.boolean().nullish(),
        lowercase: z.boolean().default(true),
      }),
    ],
    oneOf('normalizer', 'BertNormalizer'),
  ),
  pre_tokenizer: z.discriminatedUnion(
    'type',
    [z.object({ type: z.literal('BertPreTokenizer') })],
    oneOf('pre-tokenizer', 'BertPreTokenizer'),
  ),
  decoder: z.discriminatedUnion(
    'type',
    [
      z.object({
        type: z.literal('WordPiece'),
        prefix: z.string().min(1).max(8).default('##'),
        cleanup: z.boolean().default(true),
      }),
    ],
    oneOf('decoder', 'WordPiece'),
  ),
});

const simplePreTokenizer = [
  z.object({
    type: z.literal('ByteLevel'),
    add_prefix_space: z.literal(false, 'add_prefix_space is not supported'),
    use_regex: z.boolean().default(true),
  }),
  z.object({ type: z.literal('Digits'), individual_digits: z.boolean().default(false) }),
  z
    .object({
      type: z.literal('Split'),
      pattern: z.object({
        Regex: z.string().refine((pattern) => KNOWN_PATTERNS.has(pattern), {
          error: ({ input }) =>
            `the pattern ${JSON.stringify(String(input).slice(0, 80))} is none of the known ones (GPT-2, Llama 3, Qwen 2), so it might never end`,
        }),
      }),
      behavior: z.enum(['Isolated', 'Removed']),
      invert: z.boolean().default(false),
    })
    .refine(
      ({ behavior, invert }) => behavior === 'Isolated' || invert,
      'text between the matches cannot be kept alone',
    ),
] as const;
const preTokenizerNames = oneOf('pre-tokenizer', 'ByteLevel, Digits, Split and a Sequence of them');
const onePreTokenizer = z.discriminatedUnion('type', simplePreTokenizer, preTokenizerNames);

const byteLevel = z.object({
  ...common,
  model: z.object({
    type: z.literal('BPE'),
    vocab: vocabulary,
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])], 'two tokens are needed')),
    ignore_merges: z.boolean().default(false),
    unk_token: off('unk_token of BPE'),
    dropout: off('dropout'),
    byte_fallback: off('byte_fallback'),
    continuing_subword_prefix: off('continuing_subword_prefix'),
    end_of_word_suffix: off('end_of_word_suffix'),
  }),
  normalizer: z
    .discriminatedUnion('type', [z.object({ type: z.literal('NFC') })], oneOf('normalizer', 'NFC and none'))
    .nullish(),
  pre_tokenizer: z.discriminatedUnion(
    'type',
    [...simplePreTokenizer, z.object({ type: z.literal('Sequence'), pretokenizers: z.array(onePreTokenizer).max(8) })],
    preTokenizerNames,
  ),
  decoder: z.discriminatedUnion('type', [z.object({ type: z.literal('ByteLevel') })], oneOf('decoder', 'ByteLevel')),
});

export type WordPieceFile = z.output<typeof wordPiece>;
export type ByteLevelFile = z.output<typeof byteLevel>;
export type TokenizerFile = WordPieceFile | ByteLevelFile;
export type PreTokenizer = z.output<typeof onePreTokenizer>;
export type PostProcessor = z.output<typeof onePostProcessor>;

/** The only two kinds of `tokenizer.json`, by their model's type. */
export const SCHEMAS = new Map<unknown, typeof wordPiece | typeof byteLevel>([
  ['WordPiece', wordPiece],
  ['BPE', byteLevel],
]);
