import { ChimeraError, ERRORS, isChimeraError, renderMessage } from '../contracts/errors.ts';
import type { ErrorBody } from '../client/errors.ts';

/** CHIMERA_INVALID_INPUT for which HTTP has a status and headers of its own. */
export class RequestRefusal extends ChimeraError {
  readonly #status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super('CHIMERA_INVALID_INPUT', { what: 'the request', problems: [{ path: '', message }] });
    this.#status = status;
    this.headers = headers;
  }

  override get status(): number {
    return this.#status;
  }
}

/** The error of the table that `error` is: a foreign one is never shown to the caller, only its kind. */
export function asChimeraError(error: unknown): ChimeraError {
  if (isChimeraError(error)) return error;
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new RequestRefusal(415, 'send application/json, and say so in Content-Type');
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH') return invalidRequest(message ?? 'not a request');
  if (code !== undefined && /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EPIPE|57P0\d|08\d{3}|53300)$/.test(code))
    return new ChimeraError('CHIMERA_STORE_UNAVAILABLE', { why: code }, { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return invalidRequest(message ?? '');
  return new ChimeraError('CHIMERA_INTERNAL', { why: 'see the log of the gateway' }, { cause: error });
}

function invalidRequest(message: string): ChimeraError {
  return new ChimeraError('CHIMERA_INVALID_INPUT', { what: 'the request', problems: [{ path: '', message }] });
}

/** What the reader can do. The table speaks of what is listed; where nothing is, there is only the name. */
export function actionOf({ code, details: { problems = [] } }: ChimeraError): string {
  return code === 'CHIMERA_NOT_FOUND' && problems.length === 0 ? 'Check the name.' : ERRORS[code].action;
}

export function errorBody(error: ChimeraError, requestId: string): ErrorBody {
  const { problems = [] } = error.details;
  return {
    error: {
      code: error.code,
      message: renderMessage(error.code, { ...error.details, problems: [] }),
      action: actionOf(error),
      ...(problems.length === 0 ? {} : { problems: [...problems] }),
      requestId,
    },
  };
}
