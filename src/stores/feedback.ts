import { ChimeraError, invalidInput, type Problem } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { Feedback, FeedbackSubmission, JsonValue } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import type { Database, Queryable } from './database.ts';
import { columns } from './rows.ts';
import { feedbackIdOf, taskIdOf } from './task-identity.ts';
import { notifyResolved } from './tasks.ts';
import type { FeedbackRecord, FeedbackRepository } from './stream-types.ts';

const COLUMNS = `f.task_id AS "taskId", f.task_type AS "taskType", f.ordinal, f.feedback_id AS id, f.kind, f.value,
  f.late, f.received_at AS "receivedAt"`;

type Row = Omit<FeedbackRecord, 'feedback'> & { kind: Feedback['kind']; value: string };

const toRecord = ({ kind, value, ...row }: Row): FeedbackRecord => ({
  ...row,
  feedback: { kind, value: JSON.parse(value) } as Feedback,
});

interface Target {
  taskId: string;
  taskType: string;
  ordinal: number;
  key: string;
  late: boolean;
}

interface Item extends Target {
  id: string;
  kind: Feedback['kind'];
  value: string;
}

export function createFeedback(db: Database): FeedbackRepository {
  return {
    async addMany(project, items) {
      const records = await db.transaction(async (tx) => {
        const found = await resolve(tx, project, items);
        await insert(tx, project, found);
        const stored = await storedOf(tx, project, found);
        await resolveTasks(tx, project, found);
        return stored;
      });
      failpoint('feedback.stored');
      return records;
    },

    async forTask(project, taskId) {
      const rows = await db.query<Row>(
        `SELECT ${COLUMNS} FROM feedback f WHERE (project, task_type, ordinal) =
           (SELECT project, task_type, ordinal FROM tasks WHERE project = $1 AND task_id = $2) ORDER BY arrival`,
        [project, taskId],
      );
      return rows.map(toRecord);
    },

    async forRange(project, taskType, from, to) {
      const rows = await db.query<Row>(
        `SELECT ${COLUMNS} FROM feedback f WHERE project = $1 AND task_type = $2 AND ordinal >= $3 AND ordinal < $4
         ORDER BY ordinal, arrival`,
        [project, taskType, from, to],
      );
      return rows.map(toRecord);
    },

    async demonstrations(project, taskType, from, to) {
      const rows = await db.query<{ taskId: string; ordinal: number; value: string; late: boolean }>(
        `SELECT DISTINCT ON (ordinal) task_id AS "taskId", ordinal, value, late FROM feedback
         WHERE project = $1 AND task_type = $2 AND ordinal >= $3 AND ordinal < $4 AND kind = 'demonstration'
         ORDER BY ordinal, late, arrival DESC`,
        [project, taskType, from, to],
      );
      return rows.map((row) => ({ ...row, value: JSON.parse(row.value) as JsonValue }));
    },
  };
}

/** A key names its task as well as an id does: ids are derived from keys. */
function idOf(project: string, { taskId, key }: FeedbackSubmission): string | undefined {
  return taskId ?? (key === undefined ? undefined : taskIdOf(project, key));
}

/** Finds and locks the task of every item, or lists all that have none. */
async function resolve(tx: Queryable, project: string, items: readonly FeedbackSubmission[]): Promise<Item[]> {
  const targets = await tx.query<Target>(
    `SELECT task_id AS "taskId", task_type AS "taskType", ordinal, key,
       (resolved OR feedback_expired_at IS NOT NULL) AS late
     FROM tasks WHERE project = $1 AND task_id = ANY ($2) ORDER BY task_type, ordinal FOR NO KEY UPDATE`,
    [project, items.flatMap((item) => idOf(project, item) ?? [])],
  );
  const byId = new Map(targets.map((target) => [target.taskId, target]));
  const problems: Problem[] = [];
  const found = items.flatMap((item, i) => {
    const { taskId, key, feedback } = item;
    const target = byId.get(idOf(project, item) ?? '');
    if (target === undefined || (key !== undefined && target.key !== key)) {
      const name = taskId === undefined ? `key ${key ?? '(none given)'}` : `id ${taskId}`;
      problems.push({ path: `/${i}`, message: `there is no task with ${name}` });
      return [];
    }
    const id = item.id ?? feedbackIdOf(feedback);
    return [{ ...target, id, kind: feedback.kind, value: canonicalJson(feedback.value) }];
  });
  if (problems.length > 0) throw invalidInput('feedback', problems);
  return found;
}

async function insert(tx: Queryable, project: string, items: readonly Item[]): Promise<void> {
  await tx.execute(
    `INSERT INTO feedback (project, task_type, ordinal, feedback_id, task_id, kind, value, late)
     SELECT $1, n.task_type, n.ordinal, n.id, n.task_id, n.kind, n.value, n.late
     FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[])
       WITH ORDINALITY AS n (task_type, ordinal, id, task_id, kind, value, late, place)
     ORDER BY n.place
     ON CONFLICT (project, task_type, ordinal, feedback_id) DO NOTHING`,
    [
      project,
      ...columns(
        items,
        (i) => i.taskType,
        (i) => i.ordinal,
        (i) => i.id,
        (i) => i.taskId,
        (i) => i.kind,
        (i) => i.value,
        (i) => i.late,
      ),
    ],
  );
}

/** What is stored for each item, in their order; another content under one of the ids is a conflict. */
async function storedOf(tx: Queryable, project: string, items: readonly Item[]): Promise<FeedbackRecord[]> {
  const rows = await tx.query<Row>(
    `SELECT ${COLUMNS} FROM feedback f WHERE project = $1 AND task_type = ANY ($2) AND ordinal = ANY ($3)
     ORDER BY task_type, ordinal, arrival`,
    [project, [...new Set(items.map((item) => item.taskType))], items.map((item) => item.ordinal)],
  );
  const stored = new Map(rows.map((row) => [`${row.taskId}/${row.id}`, row]));
  const problems: Problem[] = [];
  const records = items.flatMap((item, i) => {
    const row = stored.get(`${item.taskId}/${item.id}`);
    if (row === undefined) return [];
    if (row.kind === item.kind && row.value === item.value) return [toRecord(row)];
    problems.push({ path: `/${i}`, message: `feedback ${item.id} of task ${item.taskId} has another content` });
    return [];
  });
  if (problems.length > 0) throw new ChimeraError('CHIMERA_CONFLICT', { what: 'feedback', problems });
  return records;
}

/** A comment says nothing about right or wrong, so it resolves nothing. */
async function resolveTasks(tx: Queryable, project: string, items: readonly Item[]): Promise<void> {
  const ids = items.filter((item) => item.kind !== 'comment').map((item) => item.taskId);
  const types = await tx.query<{ taskType: string }>(
    `WITH moved AS (
       UPDATE tasks SET has_feedback = true WHERE project = $1 AND task_id = ANY ($2) AND NOT has_feedback
       RETURNING task_type, resolved
     ) SELECT DISTINCT task_type AS "taskType" FROM moved WHERE resolved ORDER BY 1`,
    [project, ids],
  );
  for (const { taskType } of types) await notifyResolved(tx, project, taskType);
}
