import { invalidInput } from '../../contracts/errors.ts';
import type { AdapterSpec } from '../../contracts/adapters.ts';
import type { Tokenizer } from '../tokenizer/types.ts';

/** What an adapter learns from, as text. */
export type TextExample =
  | { readonly text: string; readonly label: string }
  | { readonly prompt: string; readonly completion: string }
  | { readonly prompt: string; readonly chosen: string; readonly rejected: string };

/** The same as tokens: a class of a text, or rows of which only what follows the prompt counts. */
export interface TokenExample {
  /** One row; for a preference the better one and the worse one. */
  readonly rows: readonly TokenRow[];
  /** Index of the label of a classification. */
  readonly label?: number;
}

export interface TokenRow {
  readonly tokens: readonly number[];
  /** Tokens that are given: the first token that is predicted comes after them. */
  readonly given: number;
}

/**
 * Examples as tokens. A text that is too long is cut; a prompt is cut from its front, so that it still leads to its answer.
 * @throws `CHIMERA_INVALID_INPUT` that names every example that is of another task, has an unknown label or nothing to predict
 */
export function tokenize(
  examples: readonly TextExample[],
  { task, maxTokens }: Pick<AdapterSpec, 'task' | 'maxTokens'>,
  tokenizer: Tokenizer,
  labels: readonly string[],
): TokenExample[] {
  const problems: { path: string; message: string }[] = [];
  const tokenized = examples.flatMap((example, index): TokenExample[] => {
    const refuse = (message: string): [] => {
      problems.push({ path: `/${index}`, message });
      return [];
    };
    if ('text' in example && task === 'classification') {
      const label = labels.indexOf(example.label);
      if (label < 0) return refuse(`its label ${JSON.stringify(example.label)} is none of ${labels.join(', ')}`);
      const tokens = tokenizer.encode(example.text, { wrap: true, limit: maxTokens });
      return [{ rows: [{ tokens, given: tokens.length }], label }];
    }
    const answers =
      'completion' in example && task === 'causal'
        ? [example.completion]
        : 'chosen' in example && task === 'preference'
          ? [example.chosen, example.rejected]
          : undefined;
    if (answers === undefined) return refuse(`it is no example of a ${task} task`);
    if (answers.some((answer) => answer === '')) return refuse('an answer is empty');
    return [
      { rows: answers.map((answer) => row(tokenizer, (example as { prompt: string }).prompt, answer, maxTokens)) },
    ];
  });
  if (problems.length > 0) throw invalidInput('the training examples', problems.slice(0, 20));
  return tokenized;
}

function row(tokenizer: Tokenizer, prompt: string, answer: string, maxTokens: number): TokenRow {
  const said = [...tokenizer.encode(answer), tokenizer.special.end].slice(0, maxTokens - 1);
  const before = [
    ...(tokenizer.special.begin === undefined ? [] : [tokenizer.special.begin]),
    ...tokenizer.encode(prompt),
  ];
  // Something must come first: a model is asked for the token after another.
  const given = before.length === 0 ? [tokenizer.special.end] : before.slice(-(maxTokens - said.length));
  return { tokens: [...given, ...said], given: given.length };
}
