import { ERRORS, type ErrorCode } from '../contracts/errors.ts';

/** What the command's exit status says. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  notFound: 4,
  conflict: 5,
  denied: 6,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const MEANING: Record<ExitCode, string> = {
  [EXIT.ok]: 'done',
  [EXIT.failed]: 'the work failed, or a check found something wrong',
  [EXIT.usage]: 'wrong usage, or input that is refused',
  [EXIT.unreachable]: 'the platform, or a part of it, is not reachable',
  [EXIT.notFound]: 'there is no such thing',
  [EXIT.conflict]: 'it is there already with another content, or has changed meanwhile',
  [EXIT.denied]: 'no valid API key, or one that may not do this',
};

/** The exit status for an error of the error table: it follows from the HTTP status, so no error is forgotten. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  switch (ERRORS[code].status) {
    case 400:
    case 413:
    case 422:
      return EXIT.usage;
    case 401:
    case 403:
      return EXIT.denied;
    case 404:
      return EXIT.notFound;
    case 409:
      return EXIT.conflict;
    case 429:
    case 503:
      return EXIT.unreachable;
    default:
      return EXIT.failed;
  }
}

/** The epilogue of `chimera --help`. */
export function exitCodeHelp(): string {
  const lines = Object.entries(MEANING).map(([code, meaning]) => `  ${code}  ${meaning}`);
  return ['Exit codes:', ...lines].join('\n');
}
