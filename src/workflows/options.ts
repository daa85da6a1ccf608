import { ActivityCancellationType, workflowInfo, type ActivityOptions } from '@temporalio/workflow';
import { deviceQueue, TASK_QUEUES } from '../contracts/names.ts';

/**
 * Every option set of the platform's activities, named by what the activity costs. Nothing else states a timeout, a
 * retry or a queue.
 */

/** The prefix of this stack's queues: what stands before `chimera-workflows` in the queue that runs this workflow. */
export function queuePrefix(): string {
  const queue = workflowInfo().taskQueue;
  return queue.endsWith(TASK_QUEUES.workflows) ? queue.slice(0, -TASK_QUEUES.workflows.length) : '';
}

const RETRY = { initialInterval: '200 ms', backoffCoefficient: 2, maximumInterval: '30 s' } as const;

/** How soon the death of a worker is noticed. Every activity heartbeats while it runs; quick ones end before the first. */
const NOTICED_WITHIN = '10 s';

/** Reads and writes of a few rows. Retried for as long as the stores are away: a fault loses nothing. */
export const io = (summary?: string): ActivityOptions => ({
  taskQueue: queuePrefix() + TASK_QUEUES.io,
  startToCloseTimeout: '1 minute',
  heartbeatTimeout: NOTICED_WITHIN,
  retry: RETRY,
  ...(summary === undefined ? {} : { summary }),
});

/** Work over a whole data set on the store's side: curation, reports, one search step. */
export const heavyIo = (summary: string): ActivityOptions => ({
  taskQueue: queuePrefix() + TASK_QUEUES.io,
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '20 s',
  retry: RETRY,
  summary,
});

/** Waits for something outside to happen; heartbeats, so that a dead worker is noticed and the wait goes elsewhere. */
export const waiting = (summary: string): ActivityOptions => ({
  taskQueue: queuePrefix() + TASK_QUEUES.io,
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: NOTICED_WITHIN,
  retry: RETRY,
  summary,
});

/** One task in the sandbox: after these attempts it is a dead letter. */
export const oneTask = (): ActivityOptions => ({
  taskQueue: queuePrefix() + TASK_QUEUES.wasm,
  startToCloseTimeout: '1 minute',
  heartbeatTimeout: NOTICED_WITHIN,
  retry: { ...RETRY, maximumAttempts: 5 },
});

/** Some turns of a long execution; wherever it ends, the next one goes on from there. */
export const turns = (summary: string): ActivityOptions => ({
  taskQueue: queuePrefix() + TASK_QUEUES.wasm,
  // Whoever pauses or cancels is told when no step is under way any more.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: NOTICED_WITHIN,
  retry: { ...RETRY, maximumAttempts: 10 },
  summary,
});

/** A tool of the user's own worker. It is told apart by its idempotency key, so that it may be tried again. */
export const foreignTool = (queue: string, timeoutMs: number, summary: string): ActivityOptions => ({
  taskQueue: queue,
  startToCloseTimeout: timeoutMs,
  // A queue that nobody polls must not hold an agent for ever.
  scheduleToCloseTimeout: Math.max(timeoutMs * 4, 60_000),
  retry: { ...RETRY, maximumAttempts: 3 },
  summary,
});

/** Many runs in the sandbox; resumes inside the shard. */
export const shard = (summary: string): ActivityOptions => ({
  taskQueue: queuePrefix() + TASK_QUEUES.wasm,
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '20 s',
  retry: RETRY,
  summary,
});

/** Work on a device, under a lease; heartbeats with a checkpoint and resumes from it on another worker. */
export const onDevice = (deviceClass: string, summary: string): ActivityOptions => ({
  taskQueue: queuePrefix() + deviceQueue(deviceClass),
  // The lease ends when the device is free, not when somebody asked for it to be.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  startToCloseTimeout: '12 hours',
  heartbeatTimeout: '20 s',
  retry: RETRY,
  summary,
});
