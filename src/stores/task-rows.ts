import type { JsonValue, TaskRecord } from '../contracts/records.ts';
import type { TaskSummary } from './stream-types.ts';

const SUMMARY = `t.project, t.task_id, t.task_type, t.task_type_version, t.key, t.body_hash, t.ordinal, t.priority,
  t.state, t.epoch, t.served, t.shadow, t.batch_id, t.accepted_at`;

/** The columns of {@link toSummary} and {@link toTask}, of a table `tasks t`. */
export const SUMMARY_COLUMNS = SUMMARY;
export const TASK_COLUMNS = `${SUMMARY}, t.payload`;

export interface SummaryRow {
  project: string;
  task_id: string;
  task_type: string;
  task_type_version: number;
  key: string;
  body_hash: string;
  ordinal: number;
  priority: number;
  state: TaskRecord['state'];
  epoch: number;
  served: string;
  shadow: string | null;
  batch_id: string | null;
  accepted_at: string;
}

export interface TaskRow extends SummaryRow {
  payload: string;
}

export function toSummary(row: SummaryRow): TaskSummary {
  return {
    project: row.project,
    taskId: row.task_id,
    taskType: row.task_type,
    taskTypeVersion: row.task_type_version,
    key: row.key,
    bodyHash: row.body_hash,
    ordinal: row.ordinal,
    priority: row.priority,
    state: row.state,
    routing: { epoch: row.epoch, served: row.served, ...(row.shadow === null ? {} : { shadow: row.shadow }) },
    ...(row.batch_id === null ? {} : { batchId: row.batch_id }),
    acceptedAt: row.accepted_at,
  };
}

export function toTask(row: TaskRow): TaskRecord {
  return { ...toSummary(row), payload: JSON.parse(row.payload) as JsonValue };
}
