import type { ExecutionRow, Feedback, ScoreRow } from '../../contracts/records.ts';
import type { TaskType } from '../validation/task-type.ts';
import { createDrift, driftVerdict, explainDrift, updateDrift, type DriftState } from './drift.ts';
import { scoreFeedback } from './scorers.ts';
import { windowOf, type KpiWindow } from './windows.ts';

/** What the recorded stream says, as pure functions of it: the monitor stores it, a verification derives it again. */

/** Ordinals that one KPI window spans. */
export const WINDOW = 100;
/** Bound on the probability that a stream without drift ever raises an alarm. */
export const DRIFT_ALPHA = 0.01;
export const DRIFT_DETECTOR = 'conformal-test-martingale';

/** An execution, and the task type as it was when its task was admitted. */
export interface StreamExecution extends ExecutionRow {
  readonly type: TaskType;
}

export interface StreamFeedback {
  readonly taskId: string;
  readonly feedback: Feedback;
  /** It came when the task was resolved already: decisions were made without it. */
  readonly late: boolean;
}

/** What the monitor of a stream carries along. */
export interface MonitorDocument {
  drift: DriftState | null;
  /** The detector's history begins here: at 0, at other features, or with the first new champion after an alarm. */
  driftFrom: number;
  alarms: number;
}

export interface DriftAlarm {
  readonly ordinal: number;
  readonly detector: string;
  readonly details: { text: string; pValue: number; since: number; moved: string[] };
}

/** A monitor that has seen nothing. */
export const createMonitor = (): MonitorDocument => ({ drift: null, driftFrom: 0, alarms: 0 });

/**
 * The feedback that counts for a task: its last demonstration, else the last verdict on the answer that was served. What came
 * after the task was resolved counts for nothing, so the moment of looking does not matter.
 */
function deciding(items: readonly StreamFeedback[]): Feedback | undefined {
  const inTime = items.filter(({ feedback, late }) => !late && feedback.kind !== 'comment');
  return (inTime.findLast(({ feedback }) => feedback.kind === 'demonstration') ?? inTime.at(-1))?.feedback;
}

/** The scores of executions, in their order, joined with feedback in the order of its arrival. */
export function scoreExecutions(
  executions: readonly StreamExecution[],
  feedback: readonly StreamFeedback[],
): ScoreRow[] {
  const byTask = Map.groupBy(feedback, (item) => item.taskId);
  return executions.flatMap(({ taskId, ordinal, agentVersion, role, output, type }) => {
    const counts = deciding(byTask.get(taskId) ?? []);
    // A verdict is on the answer that its giver saw; only a demonstration says something about another answer.
    if (counts === undefined || (role === 'shadow' && counts.kind !== 'demonstration')) return [];
    const scored = scoreFeedback(type.scorer, output, counts);
    if (scored === null) return [];
    const { score, correct, predicted, expected } = scored;
    return [
      {
        ...{ taskId, ordinal, agentVersion, role, score, correct },
        ...(predicted === undefined ? {} : { predicted }),
        ...(expected === undefined ? {} : { expected }),
      },
    ];
  });
}

/** The KPI windows, by version and place, that these executions and scores fill. */
export function windowsOf(
  executions: readonly ExecutionRow[],
  scores: readonly ScoreRow[],
): { agentVersion: string; fromOrdinal: number; toOrdinal: number; values: KpiWindow }[] {
  const scoreOf = new Map(scores.map((row) => [`${row.taskId} ${row.agentVersion}`, row]));
  const place = (ordinal: number): number => Math.floor(ordinal / WINDOW) * WINDOW;
  const byVersion = Map.groupBy(executions, (row) => row.agentVersion);
  return [...byVersion].flatMap(([agentVersion, own]) =>
    [...Map.groupBy(own, (row) => place(row.ordinal))].map(([fromOrdinal, rows]) => ({
      agentVersion,
      fromOrdinal,
      toOrdinal: fromOrdinal + WINDOW,
      values: windowOf(
        rows.map((row) => {
          const scored = scoreOf.get(`${row.taskId} ${agentVersion}`);
          return {
            ordinal: row.ordinal,
            failed: row.status === 'failed',
            fuel: row.fuel,
            modelCalls: row.modelCalls,
            score: scored?.score,
            correct: scored?.correct,
          };
        }),
      ),
    })),
  );
}

/** Ordinals from which a new champion served. `history` in the order of the epochs. */
export function promotionsOf(history: readonly { champion: string; fromOrdinal: number }[]): number[] {
  return history.flatMap(({ champion, fromOrdinal }, i) =>
    i > 0 && champion !== history[i - 1]!.champion ? [fromOrdinal] : [],
  );
}

/**
 * The inputs of the served tasks, in order, through the drift test. After an alarm the first new champion begins a new
 * history, and so do other features. The same whatever the stream is cut into: a promotion that is not known yet begins
 * beyond every ordinal that there is.
 * @param subject project and task type: what the draws of the test hang on
 */
export function followDrift(
  subject: { project: string; taskType: string },
  promotions: readonly number[],
  before: MonitorDocument,
  executions: readonly StreamExecution[],
): { document: MonitorDocument; alarms: DriftAlarm[] } {
  let { drift, driftFrom, alarms } = before;
  const raised: DriftAlarm[] = [];
  const namesOf = new Map<TaskType, string[]>();
  const begin = (from: number, names: readonly string[]): DriftState => {
    driftFrom = from;
    return createDrift({
      seed: `${subject.project}/${subject.taskType}/${from}`,
      alpha: DRIFT_ALPHA,
      channels: names.map((name) => ({ name, kind: 'numeric' as const })),
    });
  };
  for (const { ordinal, role, features, type } of executions) {
    if (role !== 'served' || type.features.length === 0) continue;
    const names = namesOf.get(type) ?? type.features.map((feature) => feature.name);
    namesOf.set(type, names);
    drift ??= begin(driftFrom, names);
    if (!watches(drift, names)) drift = begin(ordinal, names);
    const alarm: number | null = drift.alarm;
    if (alarm !== null) {
      const next = promotions.find((from) => from > alarm);
      if (next === undefined || ordinal < next) continue;
      drift = begin(next, names);
    }
    const values = Object.fromEntries(names.map((name, i) => [name, features[i]]));
    drift = updateDrift(drift, { ordinal, values });
    if (drift.alarm === ordinal) {
      alarms++;
      raised.push(alarmOf(drift, ordinal, driftFrom));
    }
  }
  return { document: { drift, driftFrom, alarms }, alarms: raised };
}

function watches({ series }: DriftState, names: readonly string[]): boolean {
  return series.length === names.length && series.every(({ name }, i) => name === names[i]);
}

function alarmOf(drift: DriftState, ordinal: number, since: number): DriftAlarm {
  const moved = explainDrift(drift)
    .slice(0, 3)
    .map((line) => line.text);
  const { pValue } = driftVerdict(drift);
  const text = `drift at ordinal ${ordinal} (p ≤ ${pValue.toPrecision(2)} at any time): ${moved.join('; ')}`;
  return { ordinal, detector: DRIFT_DETECTOR, details: { text, pValue, since, moved } };
}
