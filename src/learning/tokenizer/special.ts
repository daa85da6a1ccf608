import type { Problem } from '../../contracts/errors.ts';
import { nameOf, type TokenizerConfig } from './config.ts';
import type { PostProcessor, TokenizerFile } from './schema.ts';
import type { SpecialTokens } from './types.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Usual names, for files that do not say which token pads and which ends. */
const USUAL_PADS = ['[PAD]', '<pad>', '<|pad|>', '<|finetune_right_pad_id|>'];
const USUAL_ENDS = ['<|im_end|>', '<|eot_id|>', '</s>', '<|endoftext|>', '[SEP]'];

export interface Around {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** The tokens that the post-processor puts around a text. */
export function readAround({ post_processor }: TokenizerFile, { numbers }: Vocabulary, problems: Problem[]): Around {
  const before: number[] = [];
  const after: number[] = [];
  const put = (to: number[], token: string): void => {
    const number = numbers.get(token);
    if (number === undefined) {
      problems.push({ path: '/post_processor', message: `there is no token ${JSON.stringify(token)}` });
    } else to.push(number);
  };
  const read = (processor: PostProcessor): void => {
    switch (processor.type) {
      case 'ByteLevel':
        return;
      case 'BertProcessing':
      case 'RobertaProcessing':
        put(before, processor.cls[0]);
        put(after, processor.sep[0]);
        return;
      case 'TemplateProcessing': {
        let to = before;
        for (const item of processor.single) {
          if ('Sequence' in item) to = after;
          else put(to, item.SpecialToken.id);
        }
      }
    }
  };
  if (post_processor?.type === 'Sequence') post_processor.processors.forEach(read);
  else if (post_processor) read(post_processor);
  return { before, after };
}

/**
 * The tokens with a part of their own: what the files say first, then a usual name. Adds to `problems` where a name is no token, and
 * where nothing ends a text.
 */
export function readSpecial(
  file: TokenizerFile,
  config: TokenizerConfig,
  { before, after }: Around,
  { numbers }: Vocabulary,
  problems: Problem[],
): SpecialTokens {
  const named = (path: string, name: string | undefined): number | undefined => {
    if (name === undefined) return undefined;
    const number = numbers.get(name);
    if (number === undefined) problems.push({ path, message: `there is no token ${JSON.stringify(name)}` });
    return number;
  };
  const usual = (names: readonly string[]): number | undefined =>
    names.map((name) => numbers.get(name)).find((number) => number !== undefined);
  const end =
    after.at(-1) ??
    named('/eos_token', nameOf(config.eos_token)) ??
    named('/sep_token', nameOf(config.sep_token)) ??
    usual(USUAL_ENDS);
  if (end === undefined) problems.push({ path: '/eos_token', message: 'no token ends a text' });
  const pad =
    named('/pad_token', nameOf(config.pad_token)) ??
    named('/padding/pad_token', file.padding?.pad_token) ??
    usual(USUAL_PADS) ??
    end;
  return { pad: pad ?? 0, end: end ?? 0, ...(before[0] === undefined ? {} : { begin: before[0] }) };
}
