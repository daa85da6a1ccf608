import type { JsonObject, JsonValue, ScoreRow } from '../contracts/records.ts';
import { failpoint } from '../contracts/failpoint.ts';
import { createDrift, driftVerdict, explainDrift, updateDrift, type DriftState } from '../core/kpi/drift.ts';
import { scoreFeedback } from '../core/kpi/scorers.ts';
import { windowOf, type KpiSample } from '../core/kpi/windows.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { DriftEvent, FeedbackRecord, StoredExecution, Stores } from '../stores/index.ts';

/** Ordinals that one transaction of the monitor moves on by at most. */
const CHUNK = 500;
/** Ordinals that one KPI window spans. */
export const WINDOW = 100;
/** Bound on the probability that a stream without drift ever raises an alarm. */
export const DRIFT_ALPHA = 0.01;
export const DRIFT_DETECTOR = 'conformal-test-martingale';

/** What the monitor of a stream carries along. */
export interface MonitorDocument {
  drift: DriftState | null;
  /** The detector's history begins here: at 0, or with the first new champion after an alarm. */
  driftFrom: number;
  alarms: number;
}

export interface Consumed {
  consumedTo: number;
  watermark: number;
  drift?: { ordinal: number; text: string };
  document: MonitorDocument;
}

/**
 * Moves the monitor of a stream on to the watermark, chunk by chunk in the order of the ordinals: scores every execution
 * with the feedback that joined it, renews the windows, tests for drift. Any number of callers may do so at once: a chunk
 * counts once, by compare-and-set. Same stream, same scores, same alarm.
 */
export async function consume(stores: Stores, project: string, taskType: string): Promise<Consumed> {
  const type = await stores.taskTypes.require<TaskType>(project, taskType);
  let drift: Consumed['drift'];
  for (;;) {
    const monitor = await stores.kpi.monitor(project, taskType);
    const consumedTo = monitor?.consumedTo ?? 0;
    const document = (monitor?.state as MonitorDocument | undefined) ?? { drift: null, driftFrom: 0, alarms: 0 };
    const watermark = await stores.tasks.watermark(project, taskType);
    if (watermark <= consumedTo) return { consumedTo, watermark, document, ...(drift === undefined ? {} : { drift }) };
    const to = Math.min(watermark, consumedTo + CHUNK);
    const executions = await stores.executions.range(project, taskType, consumedTo, to);
    const feedback = await stores.feedback.forRange(project, taskType, consumedTo, to);
    await stores.scores.putMany(project, taskType, scoreAll(type, executions, feedback));
    failpoint('score.stored');
    await renewWindows(stores, project, taskType, consumedTo, to);
    const followed = await followDrift(stores, project, type, document, executions);
    const events = followed.event === undefined ? [] : [followed.event];
    const moved = await stores.kpi.compareAndSetMonitor(
      project,
      taskType,
      monitor?.consumedTo,
      { consumedTo: to, state: followed.document as unknown as JsonValue },
      events,
    );
    if (moved && followed.event !== undefined) {
      drift = { ordinal: followed.event.ordinal, text: String(followed.event.details.text) };
    }
  }
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
      await Promise.race([news, new Promise((resolve) => (timer = setTimeout(resolve, left)))]);
      signal.removeEventListener('abort', abort);
      clearTimeout(timer);
    }
  } finally {
    await listening.close();
  }
}

/** The feedback that counts for a task: its last demonstration, else the last verdict on the answer that was served. */
function deciding(items: readonly FeedbackRecord[]): FeedbackRecord | undefined {
  const inTime = items.filter((item) => !item.late && item.feedback.kind !== 'comment');
  return inTime.findLast((item) => item.feedback.kind === 'demonstration') ?? inTime.at(-1);
}

function scoreAll(
  type: TaskType,
  executions: readonly StoredExecution[],
  feedback: readonly FeedbackRecord[],
): ScoreRow[] {
  const byTask = Map.groupBy(feedback, (item) => item.taskId);
  return executions.flatMap(({ taskId, ordinal, agentVersion, role, output }) => {
    const item = deciding(byTask.get(taskId) ?? []);
    // A verdict is on the answer that its giver saw; only a demonstration says something about another answer.
    if (item === undefined || (role === 'shadow' && item.feedback.kind !== 'demonstration')) return [];
    const scored = scoreFeedback(type.scorer, output, item.feedback);
    if (scored === null) return [];
    const { score, correct, predicted, expected } = scored;
    return [
      {
        taskId,
        ordinal,
        agentVersion,
        role,
        score,
        correct,
        ...(predicted === undefined ? {} : { predicted }),
        ...(expected === undefined ? {} : { expected }),
      },
    ];
  });
}

/** Windows are computed anew from their rows, so that renewing one twice changes nothing. */
async function renewWindows(
  stores: Stores,
  project: string,
  taskType: string,
  from: number,
  to: number,
): Promise<void> {
  const start = Math.floor(from / WINDOW) * WINDOW;
  const executions = await stores.executions.range(project, taskType, start, to);
  const scores = await stores.scores.range(project, taskType, start, to);
  const scoreOf = new Map(scores.map((row) => [`${row.taskId} ${row.agentVersion}`, row]));
  const groups = Map.groupBy(
    executions,
    ({ agentVersion, ordinal }) => `${agentVersion} ${Math.floor(ordinal / WINDOW) * WINDOW}`,
  );
  const windows = [...groups].map(([group, rows]) => {
    const [agentVersion, at] = group.split(' ') as [string, string];
    const samples: KpiSample[] = rows.map((row) => {
      const scored = scoreOf.get(`${row.taskId} ${agentVersion}`);
      return {
        ordinal: row.ordinal,
        failed: row.status === 'failed',
        fuel: row.fuel,
        modelCalls: row.modelCalls,
        score: scored?.score,
        correct: scored?.correct,
      };
    });
    return {
      agentVersion,
      fromOrdinal: Number(at),
      toOrdinal: Number(at) + WINDOW,
      values: windowOf(samples) as unknown as JsonObject,
    };
  });
  await stores.kpi.putWindows(project, taskType, windows);
}

/** The inputs of the served tasks, in order, through the drift test. After an alarm a new champion begins a new history. */
async function followDrift(
  stores: Stores,
  project: string,
  type: TaskType,
  before: MonitorDocument,
  executions: readonly StoredExecution[],
): Promise<{ document: MonitorDocument; event?: Omit<DriftEvent, 'at'> }> {
  if (type.features.length === 0) return { document: before };
  const names = type.features.map((feature) => feature.name);
  const fresh = (from: number): DriftState =>
    createDrift({
      seed: `${project}/${type.name}/${from}`,
      alpha: DRIFT_ALPHA,
      channels: names.map((name) => ({ name, kind: 'numeric' as const })),
    });
  const promotions = (await stores.deployments.history(project, type.name)).filter(
    (deployment, i, all) => i > 0 && deployment.champion !== all[i - 1]!.champion,
  );
  let { drift, driftFrom, alarms } = before;
  drift ??= fresh(driftFrom);
  let event: Omit<DriftEvent, 'at'> | undefined;
  for (const { ordinal, role, features } of executions) {
    if (role !== 'served') continue;
    const alarm: number | null = drift.alarm;
    if (alarm !== null) {
      const next = promotions.find(({ fromOrdinal }) => fromOrdinal > alarm);
      if (next === undefined || ordinal < next.fromOrdinal) continue;
      driftFrom = next.fromOrdinal;
      drift = fresh(driftFrom);
    }
    const values = Object.fromEntries(names.map((name, i) => [name, features[i]]));
    drift = updateDrift(drift, { ordinal, values });
    if (drift.alarm === ordinal) {
      alarms++;
      const moved = explainDrift(drift)
        .slice(0, 3)
        .map((line) => line.text);
      const { pValue } = driftVerdict(drift);
      const text = `drift at ordinal ${ordinal} (p ≤ ${pValue.toPrecision(2)} at any time): ${moved.join('; ')}`;
      event = { ordinal, detector: DRIFT_DETECTOR, details: { text, pValue, since: driftFrom, moved } };
    }
  }
  return { document: { drift, driftFrom, alarms }, ...(event === undefined ? {} : { event }) };
}
