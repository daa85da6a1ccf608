import { z } from 'zod';
import { invalidInput, type Problem } from '../../contracts/errors.ts';
import { refusal } from '../weights/problems.ts';
import { tokenizerOfHub } from './hub.ts';
import { SPLITS_BY_NAME } from './patterns.ts';
import type { Tokenizer } from './types.ts';

/** Types of tokens: 3 is special, 4 was added by a user. Source: `llama_token_type` of llama.cpp. */
const SPECIAL = 3;
const ADDED = 4;

const number = z.union([z.number(), z.bigint()]).transform(Number).optional();
const numbers = z.custom<ArrayLike<number>>(
  (value) => Array.isArray(value) || ArrayBuffer.isView(value),
  'numbers are needed',
);
const metadataOf = z.object({
  'tokenizer.ggml.model': z.literal('gpt2', 'only gpt2, which is byte-level BPE, is supported'),
  'tokenizer.ggml.pre': z.enum([...SPLITS_BY_NAME.keys()], {
    error: () => `the pre-tokenizer is not supported; known: ${[...SPLITS_BY_NAME.keys()].join(', ')}`,
  }),
  'tokenizer.ggml.tokens': z.array(z.string()),
  'tokenizer.ggml.merges': z.array(z.string()),
  'tokenizer.ggml.token_type': numbers,
  'tokenizer.ggml.bos_token_id': number,
  'tokenizer.ggml.eos_token_id': number,
  'tokenizer.ggml.padding_token_id': number,
  'tokenizer.ggml.add_bos_token': z.boolean().default(false),
  'tokenizer.ggml.add_eos_token': z.boolean().default(false),
  'tokenizer.chat_template': z.string().optional(),
});

/**
 * The tokenizer that a GGUF file's metadata describe (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): byte-level BPE.
 * `metadata` has plain values by their names, arrays as arrays.
 *
 * @throws `CHIMERA_INVALID_INPUT` on metadata that are missing, not supported or do not fit together
 */
export function tokenizerOfGguf(
  metadata: ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>,
  what: string,
): Tokenizer {
  const result = metadataOf.safeParse(metadata instanceof Map ? Object.fromEntries(metadata) : metadata);
  if (!result.success) {
    throw invalidInput(
      what,
      result.error.issues.map(({ path, message }) => ({ path: `/${path.map(String).join('/')}`, message })),
    );
  }
  const values = result.data;
  const tokens = values['tokenizer.ggml.tokens'];
  const types = values['tokenizer.ggml.token_type'];
  const problems: Problem[] = [];
  if (types.length !== tokens.length) {
    const message = `${types.length} types for ${tokens.length} tokens`;
    problems.push({ path: '/tokenizer.ggml.token_type', message });
  }
  if (new Set(tokens).size !== tokens.length) {
    problems.push({ path: '/tokenizer.ggml.tokens', message: 'a token is there twice' });
  }
  const named = (name: 'bos' | 'eos' | 'padding'): string | undefined => {
    const key = `tokenizer.ggml.${name}_token_id` as const;
    const id = values[key];
    if (id === undefined) return undefined;
    if (tokens[id] === undefined) problems.push({ path: `/${key}`, message: `there is no token ${id}` });
    return tokens[id];
  };
  const [begin, end, pad] = [named('bos'), named('eos'), named('padding')];
  if (problems.length > 0) throw refusal(what, problems);

  const special = (add: boolean, token: string | undefined): object[] =>
    add && token !== undefined ? [{ SpecialToken: { id: token } }] : [];
  const single = [
    ...special(values['tokenizer.ggml.add_bos_token'], begin),
    { Sequence: { id: 'A' } },
    ...special(values['tokenizer.ggml.add_eos_token'], end),
  ];
  const added = tokens.flatMap((content, id) =>
    types[id] === SPECIAL || types[id] === ADDED ? [{ id, content, special: types[id] === SPECIAL }] : [],
  );
  const file = {
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: values['tokenizer.ggml.merges'],
      // Llama 3 takes a piece that is a token as it is. Source: `ignore_merges` in llama-vocab.cpp.
      ignore_merges: values['tokenizer.ggml.pre'] === 'llama-bpe',
    },
    added_tokens: added.map((token) => ({ ...token, normalized: false })),
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        ...(SPLITS_BY_NAME.get(values['tokenizer.ggml.pre']) ?? []),
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    },
    post_processor: { type: 'TemplateProcessing', single },
    decoder: { type: 'ByteLevel' },
  };
  const config = {
    ...{ bos_token: begin, eos_token: end, pad_token: pad },
    chat_template: values['tokenizer.chat_template'],
  };
  return tokenizerOfHub(file, config, what);
}
