import { Buffer } from 'node:buffer';
import { z } from 'zod';
import type { Usage } from '../inference/types.ts';
import type { RemoteCost, RemoteModel, RemoteTask } from './types.ts';

const count = z.int().min(0);

/** `usage` of an answer; embeddings have no completion. */
export const usageSchema = z.object({ prompt_tokens: count, completion_tokens: count.default(0) });

export type RemoteUsage = z.output<typeof usageSchema>;

/** English has about four bytes a token. */
const BYTES_PER_TOKEN = 4;

const guess = (text: string): number => Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);

/** Tokens that were used: by the provider's count, else by a guess from the texts. */
export function usageOf(
  said: RemoteUsage | null | undefined,
  prompt: readonly string[],
  completion: string,
): Usage & { readonly estimated: boolean } {
  if (said == null) {
    const promptTokens = prompt.reduce((sum, text) => sum + guess(text), 0);
    return { promptTokens, completionTokens: guess(completion), estimated: true };
  }
  return { promptTokens: said.prompt_tokens, completionTokens: said.completion_tokens, estimated: false };
}

export function costOf(
  provider: string,
  model: RemoteModel,
  task: RemoteTask,
  usage: ReturnType<typeof usageOf>,
): RemoteCost {
  const { promptTokens, completionTokens } = usage;
  const cost =
    (promptTokens * model.pricePerMillionPromptTokens + completionTokens * model.pricePerMillionCompletionTokens) / 1e6;
  return { provider, model: model.name, task, ...usage, cost };
}
