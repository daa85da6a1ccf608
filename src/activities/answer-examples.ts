import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { invalidInput } from '../contracts/errors.ts';
import type { Answer } from '../core/training/adapter/answers.ts';
import { isGguf, type BaseLocation } from '../learning/bases.ts';
import { chatOf } from '../learning/tokenizer/chat.ts';
import { tokenizerConfig, type TokenizerConfig } from '../learning/tokenizer/config.ts';
import type { TextExample } from '../learning/training/examples.ts';
import { readGgufHead } from '../learning/weights/gguf.ts';

const HUB_TOKENIZER_CONFIG = 'tokenizer_config.json';

/** Between a text and its answer, for a base that holds no conversations. */
const SEPARATOR = '\nAnswer:';
/** Texts that are put into a template before anything else has its turn. */
const AT_ONCE = 100;

/**
 * Answers as a decoder learns them. A prompt is what `/v1/chat/completions` makes of the text as the one message of a user, so that
 * whoever asks the adapter sends just that; a base without a chat template, which cannot be asked there, is given a separator.
 */
export async function answerExamples(base: BaseLocation, answers: readonly Answer[]): Promise<TextExample[]> {
  const asked = asking(base.name, await (isGguf(base) ? configOfGguf(base) : configOfHub(base)));
  const examples: TextExample[] = [];
  for (const [index, { text, right, wrong }] of answers.entries()) {
    // Templates are read at once: let heartbeats and cancellation through.
    if (index % AT_ONCE === 0) await setImmediate();
    const { prompt, before } = asked(text);
    examples.push(
      wrong === undefined
        ? { prompt, completion: before + right }
        : { prompt, chosen: before + right, rejected: before + wrong },
    );
  }
  return examples;
}

/** How a base is asked about a text, and what comes before its answer: a template ends where that begins. */
function asking(name: string, config: TokenizerConfig): (text: string) => { prompt: string; before: string } {
  const { chat_template: template } = config;
  const holdsConversations = Array.isArray(template)
    ? template.some((one) => one.name === 'default')
    : typeof template === 'string';
  if (!holdsConversations) return (text) => ({ prompt: text + SEPARATOR, before: ' ' });
  const chat = chatOf(config, name);
  return (text) => ({ prompt: chat([{ role: 'user', content: text }]), before: '' });
}

async function configOfHub({ name, directory, files }: BaseLocation): Promise<TokenizerConfig> {
  if (!files.some((file) => file.name === HUB_TOKENIZER_CONFIG)) return checked({}, name);
  return checked(await readFile(join(directory, HUB_TOKENIZER_CONFIG), 'utf8').then(parsed), name);
}

/** A GGUF file names tokens by their numbers. */
async function configOfGguf({ name, directory, files }: BaseLocation): Promise<TokenizerConfig> {
  const file = files[0]!.name;
  const { metadata } = await readGgufHead(join(directory, file), file);
  const value = (key: string): unknown => metadata.get(`tokenizer.${key}`)?.value;
  const tokens = value('ggml.tokens');
  const token = (which: string): unknown =>
    Array.isArray(tokens) ? tokens[Number(value(`ggml.${which}_token_id`))] : undefined;
  return checked({ bos_token: token('bos'), eos_token: token('eos'), chat_template: value('chat_template') }, name);
}

/** What is no JSON is refused below. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function checked(value: unknown, what: string): TokenizerConfig {
  const result = tokenizerConfig.safeParse(value);
  if (result.success) return result.data;
  throw invalidInput(
    `the tokenizer configuration of ${what}`,
    result.error.issues.map(({ path, message }) => ({ path: `/${path.join('/')}`, message })),
  );
}
