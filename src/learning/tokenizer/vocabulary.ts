import type { Problem } from '../../contracts/errors.ts';
import { place } from '../weights/problems.ts';
import type { TokenizerFile } from './schema.ts';

const MOST_TOKENS = 1 << 20;
const MOST_MERGES = 1 << 21;
const LONGEST_TOKEN = 1024;

export interface Vocabulary {
  /** Number of each token, added ones included. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Token of each number; a number may have none. */
  readonly tokens: readonly (string | undefined)[];
}

/** Reads tokens and their numbers, and adds to `problems` each that is out of place. */
export function readVocabulary({ model, added_tokens }: TokenizerFile, problems: Problem[]): Vocabulary {
  const numbers = new Map<string, number>();
  const tokens: (string | undefined)[] = [];
  const add = (path: string, token: string, number: unknown): void => {
    if (token.length > LONGEST_TOKEN) {
      problems.push({ path, message: `the token has ${token.length} characters, the most are ${LONGEST_TOKEN}` });
    } else if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number >= MOST_TOKENS) {
      problems.push({ path, message: `the number must be whole, from 0 to ${MOST_TOKENS - 1}` });
    } else if ((tokens[number] ?? token) !== token) {
      problems.push({ path, message: `the number ${number} is that of ${JSON.stringify(tokens[number])} too` });
    } else if ((numbers.get(token) ?? number) !== number) {
      problems.push({ path, message: `the token has the number ${numbers.get(token)} too` });
    } else {
      numbers.set(token, number);
      while (tokens.length < number) tokens.push(undefined);
      tokens[number] = token;
    }
  };
  const entries = Object.entries(model.vocab);
  if (entries.length === 0) problems.push({ path: '/model/vocab', message: 'there is no token' });
  for (const [token, number] of entries) add(`/model/vocab${place(token)}`, token, number);
  for (const [i, { content, id }] of added_tokens.entries()) add(`/added_tokens/${i}`, content, id);
  return { numbers, tokens };
}

/** Reads the merges of byte-level BPE: two tokens each, that are a token together. */
export function readMerges(
  merges: readonly (string | readonly [string, string])[],
  { numbers }: Vocabulary,
  problems: Problem[],
): [string, string][] {
  if (merges.length > MOST_MERGES) {
    problems.push({ path: '/model/merges', message: `${merges.length} merges, the most are ${MOST_MERGES}` });
    return [];
  }
  return merges.map((merge, i) => {
    const [left = '', right = '', ...rest] = typeof merge === 'string' ? merge.split(' ') : merge;
    if (left === '' || right === '' || rest.length > 0) {
      problems.push({ path: `/model/merges/${i}`, message: 'two tokens are needed' });
    } else {
      const unknown = [left, right, left + right].filter((token) => !numbers.has(token));
      for (const token of unknown) {
        problems.push({
          path: `/model/merges/${i}`,
          message: `there is no token ${JSON.stringify(token.slice(0, 100))}`,
        });
      }
    }
    return [left, right];
  });
}
