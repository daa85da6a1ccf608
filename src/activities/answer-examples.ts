import { setImmediate } from 'node:timers/promises';
import type { Answer } from '../core/training/adapter/answers.ts';
import { openTokenizer, type BaseLocation } from '../learning/bases.ts';
import type { TextExample } from '../learning/training/examples.ts';

/** Between a text and its answer, for a base that holds no conversations. */
const SEPARATOR = '\nAnswer:';
/** Texts that are put into a template before anything else has its turn. */
const AT_ONCE = 100;

/**
 * Answers as a decoder learns them. A prompt is what `/v1/chat/completions` makes of the text as the one message of a user, so that
 * whoever asks the adapter sends just that; a base without a chat template, which cannot be asked there, is given a separator.
 */
export async function answerExamples(base: BaseLocation, answers: readonly Answer[]): Promise<TextExample[]> {
  const { chat, holdsConversations } = await openTokenizer(base);
  // A template ends where the answer begins.
  const before = holdsConversations ? '' : ' ';
  const examples: TextExample[] = [];
  for (const [index, { text, right, wrong }] of answers.entries()) {
    // Templates are read at once: let heartbeats and cancellation through.
    if (index % AT_ONCE === 0) await setImmediate();
    const prompt = holdsConversations ? chat([{ role: 'user', content: text }]) : text + SEPARATOR;
    examples.push(
      wrong === undefined
        ? { prompt, completion: before + right }
        : { prompt, chosen: before + right, rejected: before + wrong },
    );
  }
  return examples;
}
