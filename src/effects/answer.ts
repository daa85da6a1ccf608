import type { ErrorCode } from '../contracts/errors.ts';
import type { JsonValue } from '../contracts/records.ts';

/**
 * What comes of one world effect: plain JSON that is recorded and that the agent is told. Messages are the same on every
 * machine and name nothing of the host's network. What is no answer (a cancelled call) is thrown instead.
 */
export type EffectAnswer = { readonly ok: true; readonly body: JsonValue } | EffectFailure;

export interface EffectFailure {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly message: string;
}

export const failure = (code: ErrorCode, message: string): EffectFailure => ({ ok: false, code, message });

/** Under what an effect is performed. */
export interface EffectCall {
  /** The same for every attempt of one effect: whoever changes the world deduplicates by it. */
  readonly idempotencyKey: string;
  /** Aborted when the call is cancelled; for a tool also when it is out of time. */
  readonly signal: AbortSignal;
  readonly project: string;
}
