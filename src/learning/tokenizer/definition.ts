import { z } from 'zod';
import { invalidInput, type Problem } from '../../contracts/errors.ts';
import { BERT_PUNCTUATION_ONLY, KNOWN_PATTERNS } from './patterns.ts';

/*
 * What of a `tokenizer.json` is understood: WordPiece as BERT has it, and byte-level BPE as GPT-2 and its heirs have it. Whatever
 * else a file asks for is refused by name, since a tokenizer that is nearly right spoils a model without a sign.
 */

const MOST_TOKENS = 1 << 20;
const MOST_MERGES = 1 << 21;
const MOST_ADDED = 8192;
const LONGEST_TOKEN = 1024;
const LONGEST_ADDED = 256;
const MOST_PROBLEMS = 20;

const supported = (kind: string, names: readonly string[]) => ({
  error: ({ input }: { input?: unknown }) => {
    const type = (input as { type?: unknown } | null | undefined)?.type;
    return `the ${kind} ${typeof type === 'string' ? JSON.stringify(type.slice(0, 40)) : 'without a type'} is not supported; known: ${names.join(', ')}`;
  },
});

const off = z.union([z.null(), z.literal(false), z.literal('')]).optional();
const name = z.string().min(1).max(LONGEST_ADDED);
/** Names with their numbers, checked by hand below: a vocabulary may hold any name, `__proto__` too. */
const vocabulary = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'an object of tokens and their numbers is needed',
);

const added = z.object({
  id: z.number(),
  content: name,
  special: z.boolean().default(false),
  normalized: z.boolean().optional(),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  single_word: z.literal(false, 'single_word is not supported').default(false),
});

const step = z.union([
  z.object({ SpecialToken: z.object({ id: name }) }),
  z.object({ Sequence: z.object({ id: z.enum(['A', 'B']) }) }),
]);
const pair = z.tuple([name, z.number()]);
const simplePostProcessor = z.discriminatedUnion(
  'type',
  [
    z.object({ type: z.literal('TemplateProcessing'), single: z.array(step).max(16) }),
    z.object({ type: z.literal('BertProcessing'), sep: pair, cls: pair }),
    z.object({ type: z.literal('RobertaProcessing'), sep: pair, cls: pair }),
    z.object({ type: z.literal('ByteLevel') }),
  ],
  supported('post-processor', ['TemplateProcessing', 'BertProcessing', 'RobertaProcessing', 'ByteLevel', 'Sequence']),
);
const postProcessor = z.union([
  z.object({ type: z.literal('Sequence'), processors: z.array(simplePostProcessor).max(8) }),
  simplePostProcessor,
]);

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
  normalizer: z.object(
    {
      type: z.literal('BertNormalizer'),
      clean_text: z.boolean().default(true),
      handle_chinese_chars: z.boolean().default(true),
      strip_accents: z.boolean().nullish(),
      lowercase: z.boolean().default(true),
    },
    supported('normalizer', ['BertNormalizer']),
  ),
  pre_tokenizer: z.object({ type: z.literal('BertPreTokenizer') }, supported('pre-tokenizer', ['BertPreTokenizer'])),
  decoder: z.object({
    type: z.literal('WordPiece'),
    prefix: z.string().min(1).max(8).default('##'),
    cleanup: z.boolean().default(true),
  }),
});
