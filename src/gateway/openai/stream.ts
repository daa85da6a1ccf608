import { Readable } from 'node:stream';
import type { GenerationAnswer } from '../../learning/inference/types.ts';
import { asChimeraError } from '../answers.ts';
import { viewUsage, type AnswerHead, type ChatChunk } from './answers.ts';
import { openAiErrorBody } from './errors.ts';

type Delta = ChatChunk['choices'][number]['delta'];

/**
 * The server-sent events of a generation, from its first text on: what fails before that is thrown and has a status of its own.
 * What fails later is an event with an error, the last one. Who reads slowly finds the events buffered; `maxTokens` bounds them.
 */
export async function streamCompletion(
  head: AnswerHead,
  includeUsage: boolean,
  generate: (onText: (text: string) => void) => Promise<GenerationAnswer>,
): Promise<Readable> {
  const begun = Promise.withResolvers<void>();
  const events = new Readable({ read: () => undefined });
  // Whoever has gone away is sent nothing.
  const push = (text: string | null): void => {
    if (!events.destroyed) events.push(text);
  };
  const send = (data: string): void => push(`data: ${data}\n\n`);
  const usageBefore = includeUsage ? { usage: null } : {};
  const sendChunk = (delta: Delta, finish: GenerationAnswer['finish'] | null = null): void => {
    const choices: ChatChunk['choices'] = [{ index: 0, delta, logprobs: null, finish_reason: finish }];
    send(JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...usageBefore } satisfies ChatChunk));
  };
  let isFirst = true;
  const begin = (): void => {
    if (isFirst) sendChunk({ role: 'assistant', content: '' });
    isFirst = false;
    begun.resolve();
  };
  const done = generate((text) => {
    begin();
    sendChunk({ content: text });
  }).then(({ finish, usage }) => {
    begin();
    sendChunk({}, finish);
    if (includeUsage) {
      const last: ChatChunk = { ...head, object: 'chat.completion.chunk', choices: [], usage: viewUsage(usage) };
      send(JSON.stringify(last));
    }
    send('[DONE]');
  });
  done
    .catch((error: unknown) => {
      if (isFirst) begun.reject(error);
      else send(JSON.stringify(openAiErrorBody(asChimeraError(error))));
    })
    .finally(() => push(null));
  await begun.promise;
  return events;
}
