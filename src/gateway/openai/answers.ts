import { Buffer } from 'node:buffer';
import { z } from 'zod';
import type {
  ClassificationAnswer,
  EmbeddingAnswer,
  GenerationAnswer,
  ServedModel,
  Usage,
} from '../../learning/inference/types.ts';
import { named } from '../schemas.ts';

const count = z.int().min(0);
const usage = z.strictObject({ prompt_tokens: count, completion_tokens: count, total_tokens: count });
const finish = z.enum(['stop', 'length']);

const model = named(
  'Model',
  z.strictObject({
    id: z.string(),
    object: z.literal('model'),
    created: z.literal(0).describe('Not known.'),
    owned_by: z.string(),
    tasks: z
      .array(z.enum(['embedding', 'classification', 'generation']))
      .describe('What it is for: /v1/embeddings, /v1/classify, /v1/chat/completions. Not in the form of OpenAI.'),
  }),
);
export const modelView = model;
export const modelList = named('Models', z.strictObject({ object: z.literal('list'), data: z.array(model) }));

export const embeddingList = named(
  'Embeddings',
  z.strictObject({
    object: z.literal('list'),
    data: z.array(
      z.strictObject({
        object: z.literal('embedding'),
        index: count,
        embedding: z.union([z.array(z.number()), z.string().describe('base64')]),
      }),
    ),
    model: z.string(),
    usage: z.strictObject({ prompt_tokens: count, total_tokens: count }),
  }),
);

const answerHead = { id: z.string(), created: count.describe('Seconds since 1970.'), model: z.string() };

export const classificationList = named(
  'Classifications',
  z.strictObject({
    ...answerHead,
    object: z.literal('list'),
    data: z.array(
      z.strictObject({
        index: count,
        label: z.string().describe('The likeliest one.'),
        probs: z.array(z.number()).describe('Of every label, in the order in which the model was given them.'),
        num_classes: count,
      }),
    ),
    usage,
  }),
);

export const chatCompletion = named(
  'ChatCompletion',
  z.strictObject({
    ...answerHead,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.strictObject({
        index: z.literal(0),
        message: z.strictObject({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
        logprobs: z.null(),
        finish_reason: finish,
      }),
    ),
    usage,
  }),
);

export const chatChunk = named(
  'ChatCompletionChunk',
  z.strictObject({
    ...answerHead,
    object: z.literal('chat.completion.chunk'),
    choices: z.array(
      z.strictObject({
        index: z.literal(0),
        delta: z.strictObject({ role: z.literal('assistant').optional(), content: z.string().optional() }),
        logprobs: z.null(),
        finish_reason: finish.nullable(),
      }),
    ),
    usage: usage.nullable().optional(),
  }),
  'A piece of an answer. With stream_options.include_usage the last one has the usage and no choice.',
);

export type ChatChunk = z.output<typeof chatChunk>;

/** What all pieces of one answer have. */
export interface AnswerHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

export function viewModel({ name, tasks }: ServedModel): z.output<typeof model> {
  return { id: name, object: 'model', created: 0, owned_by: 'chimera', tasks: [...tasks] };
}

export function viewUsage({ promptTokens, completionTokens }: Usage): z.output<typeof usage> {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

export function viewEmbeddings(
  name: string,
  format: 'float' | 'base64',
  { vectors, usage: { promptTokens } }: EmbeddingAnswer,
): z.output<typeof embeddingList> {
  return {
    object: 'list',
    data: vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: format === 'float' ? [...vector] : base64Of(vector),
    })),
    model: name,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  };
}

/** Little-endian, as every machine that Node runs on. */
function base64Of({ buffer, byteOffset, byteLength }: Float32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

export function viewClassifications(
  head: AnswerHead,
  { labels, scores, usage: used }: ClassificationAnswer,
): z.output<typeof classificationList> {
  return {
    ...head,
    object: 'list',
    data: scores.map((probs, index) => {
      const likeliest = probs.indexOf(Math.max(...probs));
      return { index, label: labels[likeliest]!, probs: [...probs], num_classes: labels.length };
    }),
    usage: viewUsage(used),
  };
}

export function viewCompletion(head: AnswerHead, answer: GenerationAnswer): z.output<typeof chatCompletion> {
  const message = { role: 'assistant', content: answer.text, refusal: null } as const;
  return {
    ...head,
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: null, finish_reason: answer.finish }],
    usage: viewUsage(answer.usage),
  };
}
