import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, TimeoutFailure } from '@temporalio/workflow';
import type { ErrorCode } from '../../contracts/errors.ts';
import { ERRORS } from '../../contracts/errors.ts';

/** The code and text of our own error at the bottom of what an activity or a child threw. */
export function rootCause(error: unknown): { code: ErrorCode; message: string } {
  let cause: unknown = error;
  while ((cause instanceof ActivityFailure || cause instanceof ChildWorkflowFailure) && cause.cause)
    cause = cause.cause;
  if (cause instanceof ApplicationFailure && cause.type && cause.type in ERRORS) {
    return { code: cause.type as ErrorCode, message: cause.message };
  }
  if (cause instanceof TimeoutFailure) return { code: 'CHIMERA_WALL_DEADLINE', message: cause.message };
  return { code: 'CHIMERA_INTERNAL', message: cause instanceof Error ? cause.message : String(cause) };
}
