import { Context } from '@temporalio/activity';

/** The activities that tell themselves how far they are. */
const telling = new WeakSet<Context>();

/** Cancellation comes as the answer to a heartbeat: this is how long it takes at most. */
const LONGEST_MS = 1000;

const everyMs = ({ info }: Context): number =>
  Math.max(200, Math.min(LONGEST_MS, Math.floor((info.heartbeatTimeoutMs ?? LONGEST_MS) / 3)));

/**
 * Runs any activity so that the death of its worker is noticed within its heartbeat timeout, however long the activity may
 * take. A quick one sends nothing.
 */
export async function keepingAlive<R>(work: () => Promise<R>): Promise<R> {
  const context = Context.current();
  if (context.info.heartbeatTimeoutMs === undefined) return work();
  const timer = setInterval(() => {
    if (!telling.has(context)) context.heartbeat(context.info.heartbeatDetails);
  }, everyMs(context));
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

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
  telling.add(context);
  const timer = setInterval(beat, everyMs(context));
  try {
    beat();
    return await work(context.cancellationSignal, (latest) => {
      details = latest;
    });
  } finally {
    clearInterval(timer);
  }
}
