import { failpoint } from '../contracts/failpoint.ts';
import type { JsonObject, JsonValue } from '../contracts/records.ts';
import {
  createMonitor,
  followDrift,
  promotionsOf,
  scoreExecutions,
  WINDOW,
  windowsOf,
  type MonitorDocument,
  type StreamExecution,
} from '../core/kpi/stream.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { Stores } from '../stores/index.ts';
import { whileWaiting } from '../telemetry/metrics.ts';

/** Ordinals that one transaction of the monitor moves on by at most. */
const CHUNK = 500;
export interface Consumed {
  consumedTo: number;
  drift?: { ordinal: number; text: string };
  document: MonitorDocument;
}

/**
 * Moves the monitor of a stream on to the watermark, chunk by chunk in the order of the ordinals: scores every execution
 * with the feedback that joined it, renews the windows, tests for drift. Any number of callers may do so at once: a chunk
 * counts once, by compare-and-set. Same stream, same scores, same alarm.
 */
export async function consume(stores: Stores, project: string, taskType: string): Promise<Consumed> {
  let drift: Consumed['drift'];
  for (;;) {
    const monitor = await stores.kpi.monitor(project, taskType);
    const consumedTo = monitor?.consumedTo ?? 0;
    const document = (monitor?.state as MonitorDocument | undefined) ?? createMonitor();
    const to = await stores.tasks.watermark(project, taskType, { from: consumedTo, limit: CHUNK });
    if (to <= consumedTo) return { consumedTo, document, ...(drift === undefined ? {} : { drift }) };
    // Windows are computed anew from their rows, so that renewing one twice changes nothing.
    const windowFrom = Math.floor(consumedTo / WINDOW) * WINDOW;
    const inWindows = await streamExecutions(stores, project, taskType, windowFrom, to);
    const executions = inWindows.filter(({ ordinal }) => ordinal >= consumedTo);
    const feedback = await stores.feedback.forRange(project, taskType, consumedTo, to);
    await stores.scores.putMany(project, taskType, scoreExecutions(executions, feedback));
    failpoint('score.stored');
    const scores = await stores.scores.range(project, taskType, windowFrom, to);
    const windows = windowsOf(inWindows, scores).map((window) => ({
      ...window,
      values: window.values as unknown as JsonObject,
    }));
    await stores.kpi.putWindows(project, taskType, windows);
    const promotions = promotionsOf(await stores.deployments.history(project, taskType));
    const followed = followDrift({ project, taskType }, promotions, document, executions);
    const moved = await stores.kpi.compareAndSetMonitor(
      project,
      taskType,
      monitor?.consumedTo,
      { consumedTo: to, state: followed.document as unknown as JsonValue },
      followed.alarms,
    );
    failpoint('stream.consumed');
    const latest = followed.alarms.at(-1);
    if (moved && latest !== undefined) drift = { ordinal: latest.ordinal, text: latest.details.text };
  }
}

/** The executions that decisions rest on, each with the task type that its task was admitted under. */
export async function streamExecutions(
  stores: Stores,
  project: string,
  taskType: string,
  from: number,
  to: number,
): Promise<StreamExecution[]> {
  const rows = await stores.executions.ofStream(project, taskType, from, to);
  const types = new Map<number, TaskType>();
  for (const { taskTypeVersion: version } of rows) {
    if (!types.has(version)) types.set(version, await stores.taskTypes.require<TaskType>(project, taskType, version));
  }
  return rows.map((row) => ({ ...row, type: types.get(row.taskTypeVersion)! }));
}

/**
 * Waits until the stream is consumed beyond `after`, at most `waitMs`. Returns how far it is consumed; a caller that gets
 * `after` or less asks again.
 */
export async function untilResolved(
  stores: Stores,
  project: string,
  taskType: string,
  after: number,
  waitMs: number,
  signal: AbortSignal,
): Promise<number> {
  const end = Date.now() + waitMs;
  let wake = (): void => undefined;
  const listening = await stores.listen('chimera_resolved', (payload) => {
    if (payload === '' || payload === `${project}/${taskType}`) wake();
  });
  try {
    for (;;) {
      signal.throwIfAborted();
      const news = new Promise<void>((resolve) => (wake = resolve));
      const { consumedTo } = await consume(stores, project, taskType);
      const left = end - Date.now();
      if (consumedTo > after || left <= 0) return consumedTo;
      let timer: NodeJS.Timeout | undefined;
      const abort = (): void => wake();
      signal.addEventListener('abort', abort);
      await whileWaiting(() => Promise.race([news, new Promise((resolve) => (timer = setTimeout(resolve, left)))]));
      signal.removeEventListener('abort', abort);
      clearTimeout(timer);
    }
  } finally {
    await listening.close();
  }
}
