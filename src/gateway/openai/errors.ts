import { z } from 'zod';
import { renderMessage, type ChimeraError } from '../../contracts/errors.ts';
import type { ErrorFormat } from '../route.ts';
import { named } from '../schemas.ts';

const openAiError = named(
  'OpenAiError',
  z.strictObject({
    error: z.strictObject({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string(),
    }),
  }),
  "An error in OpenAI's form; the code is one of the API's own.",
);

export type OpenAiError = z.output<typeof openAiError>;

/** Errors as OpenAI's clients read them. The message names every problem, `param` where the first one is. */
export const OPENAI_ERRORS: ErrorFormat = { schema: openAiError, bodyOf: openAiErrorBody };

export function openAiErrorBody({ code, status, details }: ChimeraError): OpenAiError {
  return {
    error: {
      message: renderMessage(code, details),
      type: typeOf(status),
      param: paramOf(details.problems?.[0]?.path),
      code,
    },
  };
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

/** `/messages/0/content` is `messages[0].content` there. */
function paramOf(path: string | undefined): string | null {
  if (path === undefined || path === '') return null;
  return path
    .replace(/^\//, '')
    .split('/')
    .map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : `${index === 0 ? '' : '.'}${part}`))
    .join('');
}
