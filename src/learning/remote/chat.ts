import { z } from 'zod';
import { stream } from '../../core/random/random.ts';
import type { GenerationAnswer, GenerationRequest } from '../inference/types.ts';
import type { ChatMessage } from '../tokenizer/types.ts';
import { usageSchema } from './costs.ts';
import type { RemoteModel } from './types.ts';

/** An answer of `/chat/completions` that comes as one. */
export const chatAnswer = z.object({
  choices: z
    .array(z.object({ message: z.object({ content: z.string().nullish() }), finish_reason: z.string() }))
    .min(1),
  usage: usageSchema.nullish(),
});

/** A piece of a streamed one; the last piece has the usage and no choice. */
export const chatChunk = z.object({
  choices: z.array(
    z.object({ delta: z.object({ content: z.string().nullish() }), finish_reason: z.string().nullish() }),
  ),
  usage: usageSchema.nullish(),
});

/**
 * The body of a request. What is as the protocol's default is left out, and so is a seed that nobody gave: some models refuse to be told,
 * some providers have no seed of this name.
 */
export function chatBody(
  model: RemoteModel,
  messages: readonly ChatMessage[],
  { maxTokens, temperature, topP, stop, seed, onText }: GenerationRequest,
): object {
  return {
    model: model.remoteName,
    messages,
    [model.lengthParameter]: maxTokens,
    ...(temperature === 1 ? {} : { temperature }),
    ...(topP === 1 ? {} : { top_p: topP }),
    ...(stop.length === 0 ? {} : { stop }),
    ...(seed === undefined ? {} : { seed: integerSeed(seed) }),
    ...(onText === undefined ? {} : { stream: true, stream_options: { include_usage: true } }),
  };
}

/** Undefined for an end that is not one of an answer: a filter, a tool call. */
export function finishOf(reason: string | null | undefined): GenerationAnswer['finish'] | undefined {
  return reason === 'stop' || reason === 'length' ? reason : undefined;
}

/** The protocol's seeds are integers: one that is written as such stays what it is. */
function integerSeed(seed: string): number {
  return /^(0|[1-9]\d{0,8})$/.test(seed) ? Number(seed) : stream(seed, 0, 0, 'remote seed').u32() >>> 1;
}
