import { ERRORS, type ErrorCode, type Problem } from '../contracts/errors.ts';

/** Error body of every answer that is not a success. */
export interface ErrorBody {
  error: { code: ErrorCode; message: string; action: string; problems?: Problem[]; requestId: string };
}

/** The API refused, or could not be reached (`CHIMERA_UNREACHABLE`). */
export class ChimeraApiError extends Error {
  readonly code: ErrorCode;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  /** What can be done about it. */
  readonly action: string;
  readonly problems: readonly Problem[];
  readonly requestId: string | undefined;
  /** May the same call succeed later? */
  readonly retryable: boolean;

  constructor(status: number, body: ErrorBody['error'] | Omit<ErrorBody['error'], 'requestId'>, cause?: unknown) {
    super(body.message, { cause });
    this.name = 'ChimeraApiError';
    this.code = body.code;
    this.status = status;
    this.action = body.action;
    this.problems = body.problems ?? [];
    this.requestId = 'requestId' in body ? body.requestId : undefined;
    this.retryable = ERRORS[body.code].retryable;
  }
}

/** The error that an answer carries; an answer of something else (a proxy) becomes an internal error that quotes it. */
export function errorOfAnswer(status: number, text: string): ChimeraApiError {
  try {
    const { error } = JSON.parse(text) as Partial<ErrorBody>;
    if (error !== undefined && error.code in ERRORS) return new ChimeraApiError(status, error);
  } catch {
    // Not ours: reported below as what it is.
  }
  const unreachable = status === 502 || status === 503 || status === 504;
  const code: ErrorCode = unreachable ? 'CHIMERA_UNREACHABLE' : 'CHIMERA_INTERNAL';
  return new ChimeraApiError(status, {
    code,
    message: `the server answered ${status}: ${text.slice(0, 200) || 'nothing'}`,
    action: ERRORS[code].action,
  });
}

export function unreachable(baseUrl: string, cause: unknown): ChimeraApiError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const why = inner instanceof Error ? inner.message || inner.name : String(inner);
  return new ChimeraApiError(
    0,
    {
      code: 'CHIMERA_UNREACHABLE',
      message: `the API is not reachable at ${baseUrl}: ${why}`,
      action: ERRORS.CHIMERA_UNREACHABLE.action,
    },
    cause,
  );
}
