import { setTimeout as delay } from 'node:timers/promises';
import type { ChimeraError } from '../../contracts/errors.ts';
import type { Stream } from '../../core/random/random.ts';
import type { Retries } from './types.ts';

/** Why an attempt has no value. */
export interface Fault {
  readonly error: ChimeraError;
  /** The same call may fare better. */
  readonly transient: boolean;
  /** How long the provider wants to be left alone, in milliseconds. */
  readonly afterMs?: number;
}

export type Attempt<T> = { readonly value: T } | Fault;

/**
 * The value of the first attempt that has one. Waits between attempts grow exponentially, each between half of its length and all
 * of it ("equal jitter"; Brooker, "Exponential backoff and jitter", AWS 2015), and are never shorter than the provider asks for.
 * An aborted signal ends a wait; the next attempt then says so.
 */
export async function withRetries<T>(
  attempt: () => Promise<Attempt<T>>,
  retries: Retries,
  jitter: Stream,
  signal: AbortSignal,
): Promise<T> {
  let backoffMs = retries.firstDelayMs;
  for (let left = retries.count; ; left--) {
    const result = await attempt();
    if ('value' in result) return result.value;
    const { error, transient, afterMs = 0 } = result;
    if (!transient || left === 0 || afterMs > retries.mostDelayMs) throw error;
    const waitMs = Math.min(backoffMs * (0.5 + jitter.uniform() / 2), retries.mostDelayMs);
    await delay(Math.max(waitMs, afterMs), undefined, { signal }).catch(() => undefined);
    backoffMs *= 2;
  }
}

/** Milliseconds that a Retry-After header (RFC 9110, section 10.2.3) asks to wait; undefined where it is not one. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
