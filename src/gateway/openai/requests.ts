import { z } from 'zod';
import type { Problem } from '../../contracts/errors.ts';
import { parse, problemOf } from '../parse.ts';
import { named } from '../schemas.ts';

/** OpenAI's own limit. */
const MAX_TEXTS = 2048;
const MAX_TOKENS = 32_768;
const DEFAULT_TOKENS = 512;

/** `null` is as good as nothing, as with OpenAI. */
const withDefault = <S extends z.ZodType>(
  schema: S,
  value: z.output<S>,
): z.ZodType<z.output<S>, z.input<S> | null | undefined> => schema.nullish().transform((given) => given ?? value);

/** A parameter of which one value says what happens anyway. */
const only = (value: number | boolean): z.ZodType =>
  z.literal(value, `only ${value} is supported`).nullish().describe('There for clients that send it.');

const modelName = z.string().min(1).max(256).describe('One of /v1/models.');

const text = z.string().min(1, 'must not be empty');

const isTokens = (input: unknown): boolean =>
  Array.isArray(input) && input.some((item) => typeof item === 'number' || Array.isArray(item));

const texts = z
  .union([text, z.array(text).min(1).max(MAX_TEXTS)], {
    error: ({ input }) =>
      isTokens(input) ? 'tokens are not supported, send texts' : `must be a text or a list of 1 to ${MAX_TEXTS} texts`,
  })
  .transform((given) => (typeof given === 'string' ? [given] : given));

export const embeddingRequest = named(
  'EmbeddingRequest',
  z.strictObject({
    model: modelName,
    input: texts,
    encoding_format: withDefault(z.enum(['float', 'base64']), 'float').describe('base64: little-endian 32-bit floats.'),
    user: z.string().nullish().describe('Without effect.'),
  }),
  'Texts to vectors. A parameter of OpenAI that is not here is refused.',
);

export const classificationRequest = named(
  'ClassificationRequest',
  z.strictObject({
    model: modelName,
    input: texts,
    user: z.string().nullish().describe('Without effect.'),
  }),
  'Texts to labels. A parameter of vLLM that is not here is refused.',
);

const content = z
  .union([z.string(), z.array(z.strictObject({ type: z.literal('text'), text: z.string() })).min(1)], {
    error: 'must be a text or a list of parts of type text',
  })
  .transform((given) => (typeof given === 'string' ? given : given.map((part) => part.text).join('')));

const message = z.strictObject({
  role: z
    .enum(['system', 'developer', 'user', 'assistant'], 'must be system, developer, user or assistant')
    .transform((role) => (role === 'developer' ? 'system' : role)),
  content,
  refusal: z.null('is not supported').optional().describe('There for answers that are sent back.'),
});

const maxTokens = z.int().min(1).max(MAX_TOKENS).nullish();

export const chatRequest = named(
  'ChatRequest',
  z
    .strictObject({
      model: modelName,
      messages: z.array(message).min(1),
      max_completion_tokens: maxTokens.describe(`Default ${DEFAULT_TOKENS}.`),
      max_tokens: maxTokens.describe('The old name of max_completion_tokens.'),
      temperature: withDefault(z.number().min(0).max(2), 1).describe('0: always the likeliest token.'),
      top_p: withDefault(z.number().gt(0).max(1), 1),
      stop: z
        .union([text, z.array(text).max(4)], { error: 'must be a text or a list of at most 4 texts' })
        .nullish()
        .transform((given) => (typeof given === 'string' ? [given] : (given ?? []))),
      seed: z.int().nullish().describe('The same one gives the same answer. Default: another one each time.'),
      stream: withDefault(z.boolean(), false).describe('Server-sent events, with [DONE] at the end.'),
      stream_options: z.strictObject({ include_usage: z.boolean().default(false) }).nullish(),
      n: only(1),
      logprobs: only(false),
      presence_penalty: only(0),
      frequency_penalty: only(0),
      response_format: z
        .strictObject({ type: z.literal('text', 'only text is supported') })
        .nullish()
        .describe('There for clients that send it.'),
      user: z.string().nullish().describe('Without effect.'),
    })
    .refine(({ max_completion_tokens: now, max_tokens: before }) => now == null || before == null || now === before, {
      path: ['max_tokens'],
      error: 'differs from max_completion_tokens',
      // Beside whatever else is wrong.
      when: ({ value }) => typeof value === 'object' && value !== null,
    })
    .transform(({ max_completion_tokens, max_tokens, ...rest }) => ({
      ...rest,
      maxTokens: max_completion_tokens ?? max_tokens ?? DEFAULT_TOKENS,
    })),
  'A conversation to go on with. A parameter of OpenAI that is not here is refused.',
);

export type ChatRequest = z.output<typeof chatRequest>;

/** Parses a body. @throws {ChimeraError} CHIMERA_INVALID_INPUT that names every problem, each parameter that is not supported as one */
export function parseRequest<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  return parse(schema, body, 'the body', problemsOf);
}

function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  const problem = problemOf(issue);
  return issue.code === 'unrecognized_keys'
    ? issue.keys.map((key) => ({ path: `${problem.path}/${key}`, message: 'is not supported' }))
    : [problem];
}
