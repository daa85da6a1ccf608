import type { z } from 'zod';
import { invalidInput, type Problem } from '../contracts/errors.ts';

type Issue = z.core.$ZodIssue;

/** What is wrong in the words of the API: zod's own ones speak of its types. Undefined where they will do. */
const wordsOf: z.core.$ZodErrorMap = ({ code, input, ...issue }) => {
  if (input === undefined && ['invalid_type', 'invalid_value', 'invalid_union'].includes(code)) return 'is required';
  const isEmpty = typeof input === 'string' || Array.isArray(input) ? input.length === 0 : false;
  return code === 'too_small' && isEmpty && issue['minimum'] === 1 ? 'must not be empty' : undefined;
};

/**
 * Parses what a caller sent.
 * @param problemsOf what to say of an issue; default: its message, where it is
 * @throws {ChimeraError} CHIMERA_INVALID_INPUT that names every problem at once
 */
export function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what: string,
  problemsOf: (issue: Issue) => readonly Problem[] = (issue) => [problemOf(issue)],
): z.output<S> {
  const { success, data, error } = schema.safeParse(value, { error: wordsOf });
  if (success) return data;
  throw invalidInput(what, error.issues.flatMap(problemsOf));
}

/** An issue as a problem at its JSON pointer. */
export const problemOf = ({ path, message }: Issue): Problem => ({
  path: path.map((part) => `/${String(part)}`).join(''),
  message,
});
