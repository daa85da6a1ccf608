import type { DeadLetter } from '../contracts/records.ts';
import { appendAudit } from './audit.ts';
import type { Database } from './database.ts';
import { notifyResolved } from './tasks.ts';
import type { DeadLettersRepository } from './stream-types.ts';

export function createDeadLetters(db: Database): DeadLettersRepository {
  return {
    put: (project, { taskId, taskType, ordinal, code, reason }) =>
      db.transaction(async (tx) => {
        // A task that has its answer is not dead, however late its last retry gave up.
        const died = await tx.execute(
          `UPDATE tasks SET state = 'dead', died = true
           WHERE project = $1 AND task_id = $2 AND NOT executed AND state <> 'dead'`,
          [project, taskId],
        );
        if (died === 0) return;
        await tx.execute(
          `INSERT INTO dead_letters (project, task_id, task_type, ordinal, code, reason) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (project, task_id) DO UPDATE
           SET code = excluded.code, reason = excluded.reason, at = now(), redriven_at = NULL`,
          [project, taskId, taskType, ordinal, code, reason],
        );
        await notifyResolved(tx, project, taskType);
      }),

    list: (project, { taskType, limit = 100 } = {}) =>
      db.query<DeadLetter>(
        `SELECT project, task_id AS "taskId", task_type AS "taskType", ordinal, code, reason, at FROM dead_letters
         WHERE project = $1 AND redriven_at IS NULL AND ($2::text IS NULL OR task_type = $2)
         ORDER BY at DESC, ordinal DESC LIMIT $3`,
        [project, taskType ?? null, limit],
      ),

    redrive: (project, taskIds, audit) =>
      db.transaction(async (tx) => {
        const letters = await tx.query<{ id: string; taskType: string }>(
          `WITH redriven AS (
             UPDATE dead_letters SET redriven_at = now()
             WHERE project = $1 AND redriven_at IS NULL AND ($2::text[] IS NULL OR task_id = ANY ($2))
             RETURNING task_id, task_type, ordinal
           ) SELECT task_id AS id, task_type AS "taskType" FROM redriven ORDER BY task_type, ordinal`,
          [project, taskIds ?? null],
        );
        if (letters.length === 0) return [];
        const ids = letters.map((letter) => letter.id);
        // Out of its batch, whose workflow is over: the dispatcher takes it as a single task.
        await tx.execute(
          `UPDATE tasks SET state = 'accepted', dispatched_at = NULL, batch_id = NULL
           WHERE project = $1 AND task_id = ANY ($2) AND state = 'dead'`,
          [project, ids],
        );
        await appendAudit(tx, project, { ...audit, details: { ...audit.details, tasks: ids } });
        for (const taskType of new Set(letters.map((letter) => letter.taskType))) {
          await tx.query(`SELECT pg_notify('chimera_accepted', $1)`, [`${project}/${taskType}`]);
        }
        return ids;
      }),
  };
}
