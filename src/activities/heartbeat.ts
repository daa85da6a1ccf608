import { Context } from '@temporalio/activity';

/**
 * Runs `work` while this activity heartbeats at a third of its timeout. `work` gets a signal that fires when the activity
 * is cancelled or its worker shuts down, and `note(details)` sets what the next heartbeats carry.
 */
export async function heartbeating<R>(
  work: (signal: AbortSignal, note: (details: unknown) => void) => Promise<R>,
): Promise<R> {
  const context = Context.current();
  let details: unknown = context.info.heartbeatDetails;
  const beat = (): void => context.heartbeat(details);
  const timer = setInterval(beat, Math.max(200, Math.floor((context.info.heartbeatTimeoutMs ?? 15_000) / 3)));
  try {
    beat();
    return await work(context.cancellationSignal, (latest) => {
      details = latest;
    });
  } finally {
    clearInterval(timer);
  }
}
