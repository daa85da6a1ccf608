import { ApplicationFailure, CancelledFailure, CompleteAsyncError, Context } from '@temporalio/activity';
import { ChimeraError, ERRORS, isChimeraError } from '../contracts/errors.ts';

/** Our error as what an activity may throw: of the same code, retried or not as the error table says. */
export function toFailure(error: unknown): unknown {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure || error instanceof CompleteAsyncError) {
    return error;
  }
  // What gave up because this activity's own signal fired was cancelled, or its worker shuts down and it is tried elsewhere.
  if (isChimeraError(error, 'CHIMERA_CANCELLED')) {
    const { aborted, reason } = Context.current().cancellationSignal;
    if (aborted) return reason;
  }
  const known = isChimeraError(error)
    ? error
    : new ChimeraError('CHIMERA_INTERNAL', { why: error instanceof Error ? error.message : String(error) });
  const { action, retryable } = ERRORS[known.code];
  return ApplicationFailure.create({
    type: known.code,
    message: known.message,
    nonRetryable: !retryable,
    details: [{ ...known.details, action }],
    // An open circuit says itself when it may be tried again.
    ...(known.code === 'CHIMERA_CIRCUIT_OPEN' ? { nextRetryDelay: Number(known.details['retryAfterMs']) } : {}),
    ...(error instanceof Error ? { cause: error } : {}),
  });
}
