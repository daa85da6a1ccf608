import type { TaskRecord, TaskState } from '../contracts/records.ts';
import { acceptMany } from './accept.ts';
import { appendAudit } from './audit.ts';
import type { Database, Queryable } from './database.ts';
import { SUMMARY_COLUMNS, TASK_COLUMNS, toSummary, toTask, type SummaryRow, type TaskRow } from './task-rows.ts';
import type { TasksRepository } from './stream-types.ts';

/** Tells listeners, at commit, that the watermark of a task type may have moved. */
export async function notifyResolved(tx: Queryable, project: string, taskType: string): Promise<void> {
  await tx.query(`SELECT pg_notify('chimera_resolved', $1)`, [`${project}/${taskType}`]);
}

export function createTasks(db: Database): TasksRepository {
  async function one(where: string, values: unknown[]): Promise<TaskRecord | undefined> {
    const rows = await db.query<TaskRow>(`SELECT ${TASK_COLUMNS} FROM tasks t WHERE ${where} ORDER BY ordinal`, values);
    return rows[0] && toTask(rows[0]);
  }
  const IN_RANGE = 't.project = $1 AND t.task_type = $2 AND t.ordinal >= $3 AND t.ordinal < $4 ORDER BY t.ordinal';

  return {
    acceptMany: (project, taskType, submissions, options) => acceptMany(db, project, taskType, submissions, options),
    get: (project, taskId) => one('t.project = $1 AND t.task_id = $2', [project, taskId]),
    byKey: (project, key) => one('t.project = $1 AND t.key = $2', [project, key]),

    async range(project, taskType, from, to) {
      const sql = `SELECT ${TASK_COLUMNS} FROM tasks t WHERE ${IN_RANGE}`;
      return (await db.query<TaskRow>(sql, [project, taskType, from, to])).map(toTask);
    },

    async summaries(project, taskType, from, to) {
      const sql = `SELECT ${SUMMARY_COLUMNS} FROM tasks t WHERE ${IN_RANGE}`;
      return (await db.query<SummaryRow>(sql, [project, taskType, from, to])).map(toSummary);
    },

    async ofBatch(project, batchId, { from = 0, to, limit } = {}) {
      const rows = await db.query<TaskRow>(
        `SELECT ${TASK_COLUMNS} FROM tasks t
         WHERE t.project = $1 AND t.batch_id = $2 AND t.ordinal >= $3 AND ($4::bigint IS NULL OR t.ordinal < $4)
         ORDER BY t.ordinal LIMIT $5`,
        [project, batchId, from, to ?? null, limit ?? null],
      );
      return rows.map(toTask);
    },

    async undispatched(limit) {
      const rows = await db.query<SummaryRow>(
        `SELECT ${SUMMARY_COLUMNS} FROM tasks t WHERE t.dispatched_at IS NULL AND t.batch_id IS NULL
         ORDER BY t.accepted_at, t.project, t.task_type, t.ordinal LIMIT $1`,
        [limit],
      );
      return rows.map(toSummary);
    },

    async markDispatched(project, taskIds) {
      await db.execute(
        'UPDATE tasks SET dispatched_at = now() WHERE project = $1 AND task_id = ANY ($2) AND dispatched_at IS NULL',
        [project, taskIds],
      );
    },

    async setState(project, taskId, state) {
      // A retry may arrive late: a finished task does not begin again, and only a re-drive revives a dead one.
      await db.execute(
        `UPDATE tasks SET state = $3 WHERE project = $1 AND task_id = $2 AND state <> 'dead'
           AND (state NOT IN ('completed', 'failed') OR $3 IN ('completed', 'failed'))`,
        [project, taskId, state],
      );
    },

    async recent(project, { taskType, limit = 50 } = {}) {
      const rows = await db.query<SummaryRow>(
        `SELECT ${SUMMARY_COLUMNS} FROM tasks t WHERE t.project = $1 AND ($2::text IS NULL OR t.task_type = $2)
         ORDER BY t.accepted_at DESC, t.ordinal DESC LIMIT $3`,
        [project, taskType ?? null, limit],
      );
      return rows.map(toSummary);
    },

    async counts(project, taskType) {
      const rows = await db.query<{ state: TaskState; count: number }>(
        'SELECT state, count(*) FROM tasks WHERE project = $1 AND task_type = $2 GROUP BY state ORDER BY state',
        [project, taskType],
      );
      const none: Record<TaskState, number> = { accepted: 0, running: 0, completed: 0, failed: 0, dead: 0 };
      return { ...none, ...Object.fromEntries(rows.map((row) => [row.state, row.count])) };
    },

    async nextOrdinal(project, taskType) {
      const rows = await db.query<{ next: number }>(
        'SELECT next_ordinal AS next FROM streams WHERE project = $1 AND task_type = $2 ORDER BY 1',
        [project, taskType],
      );
      return rows[0]?.next ?? 0;
    },

    async watermark(project, taskType, { from = 0, limit } = {}) {
      const end = limit === undefined ? Number.MAX_SAFE_INTEGER : from + limit;
      const rows = await db.query<{ watermark: number }>(
        `SELECT least(
           (SELECT ordinal FROM tasks
            WHERE project = $1 AND task_type = $2 AND ordinal >= $3 AND ordinal < $4 AND NOT resolved
            ORDER BY ordinal LIMIT 1),
           coalesce((SELECT next_ordinal FROM streams WHERE project = $1 AND task_type = $2), 0),
           $4::bigint) AS watermark ORDER BY 1`,
        [project, taskType, from, end],
      );
      return rows[0]!.watermark;
    },

    expireFeedback(now) {
      return db.transaction(async (tx) => {
        // A task that somebody is writing to is left to the next call.
        const rows = await tx.query<{ project: string; taskType: string; count: number; first: number; last: number }>(
          `WITH expired AS (
             UPDATE tasks t SET feedback_expired_at = $1 WHERE t.ctid = ANY (ARRAY(
               SELECT o.ctid FROM tasks o
               WHERE o.feedback_deadline <= $1 AND NOT o.has_feedback AND o.feedback_expired_at IS NULL AND NOT o.died
               ORDER BY o.project, o.task_type, o.ordinal FOR NO KEY UPDATE SKIP LOCKED))
             RETURNING t.project, t.task_type, t.ordinal
           )
           SELECT project, task_type AS "taskType", count(*), min(ordinal) AS first, max(ordinal) AS last
           FROM expired GROUP BY project, task_type ORDER BY project, task_type`,
          [now],
        );
        for (const { project, taskType, count, first, last } of rows) {
          const details = { count, first, last };
          await appendAudit(tx, project, { type: 'feedback.expired', actor: 'chimera', subject: taskType, details });
          await notifyResolved(tx, project, taskType);
        }
        return rows.reduce((sum, row) => sum + row.count, 0);
      });
    },
  };
}
