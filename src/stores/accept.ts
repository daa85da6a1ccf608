import { randomUUID } from 'node:crypto';
import { ChimeraError, invalidInput, type Problem } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { TaskSubmission } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import type { Database, Queryable } from './database.ts';
import { unknownTaskType } from './projects.ts';
import { columns } from './rows.ts';
import { currentDeployment, lockStream } from './streams.ts';
import { bodyHashOf, taskIdOf } from './task-identity.ts';
import { TASK_COLUMNS, toTask, type TaskRow } from './task-rows.ts';
import {
  DEFAULT_FEEDBACK_DEADLINE_MS,
  type Acceptance,
  type AcceptOptions,
  type Route,
  type TaskTypeDocument,
} from './stream-types.ts';

interface Prepared {
  key: string;
  taskId: string;
  payload: string;
  bodyHash: string;
  priority: number;
}

const championServes: Route = (deployment) => ({ epoch: deployment.epoch, served: deployment.champion });

/** See `TasksRepository.acceptMany`. The accept row is the outbox: nothing is started from here. */
export async function acceptMany(
  db: Database,
  project: string,
  taskType: string,
  submissions: readonly Omit<TaskSubmission, 'taskType'>[],
  { batchId, route = championServes }: AcceptOptions = {},
): Promise<Acceptance[]> {
  // Outside of the transaction: the stream is locked for as short a time as can be.
  const asked = submissions.map((submission) => prepare(project, taskType, submission));
  const wanted = distinct(asked);
  const ids = [...wanted.keys()];
  const created = new Set<string>();
  const stored = await db.transaction(async (tx) => {
    created.clear();
    const { version, deadlineMs } = await latestTaskType(tx, project, taskType);
    const next = await lockStream(tx, project, taskType);
    const known = await bodies(tx, project, ids);
    refuseConflicts(
      ids.flatMap((id) => wanted.get(id) ?? []).filter((w) => (known.get(w.taskId) ?? w.bodyHash) !== w.bodyHash),
    );
    const fresh = ids.flatMap((id) => (known.has(id) ? [] : (wanted.get(id) ?? [])));
    if (fresh.length > 0) {
      const deployment = await currentDeployment(tx, project, taskType);
      if (deployment === undefined) {
        const message = `no agent serves ${taskType} yet: chimera deploy AGENT --task-type ${taskType}`;
        const problems = [{ path: taskType, message }];
        throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'deployment', name: taskType, problems });
      }
      const rows = fresh.map((task, i) => ({
        ...task,
        ordinal: next + i,
        routing: route(deployment, next + i, task.bodyHash),
      }));
      await tx.execute(
        `INSERT INTO tasks (project, task_type, task_type_version, batch_id, feedback_deadline, ordinal, task_id, key,
           body_hash, payload, priority, epoch, served, shadow)
         SELECT $1, $2, $3, $4, now() + $5 * interval '1 millisecond', n.*
         FROM unnest($6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::int[], $12::int[],
           $13::text[], $14::text[]) AS n`,
        [
          ...[project, taskType, version, batchId ?? null, deadlineMs],
          ...columns(
            rows,
            (r) => r.ordinal,
            (r) => r.taskId,
            (r) => r.key,
            (r) => r.bodyHash,
            (r) => r.payload,
            (r) => r.priority,
            (r) => r.routing.epoch,
            (r) => r.routing.served,
            (r) => r.routing.shadow ?? null,
          ),
        ],
      );
      await tx.execute('UPDATE streams SET next_ordinal = $3 WHERE project = $1 AND task_type = $2', [
        project,
        taskType,
        next + rows.length,
      ]);
      await tx.query(`SELECT pg_notify('chimera_accepted', $1)`, [`${project}/${taskType}`]);
      for (const { taskId } of fresh) created.add(taskId);
    }
    return tx.query<TaskRow>(
      `SELECT ${TASK_COLUMNS} FROM tasks t WHERE project = $1 AND task_id = ANY ($2) ORDER BY ordinal`,
      [project, ids],
    );
  });
  failpoint('accept.commit');
  const byId = new Map(stored.map((row) => [row.task_id, toTask(row)]));
  return asked.flatMap(({ taskId }) => {
    const task = byId.get(taskId);
    // Only the first of equal submissions made it.
    return task === undefined ? [] : [{ task, created: created.delete(taskId) }];
  });
}

function prepare(project: string, taskType: string, submission: Omit<TaskSubmission, 'taskType'>): Prepared {
  const key = submission.key ?? randomUUID();
  const payload = canonicalJson(submission.payload);
  const bodyHash = bodyHashOf(taskType, payload);
  return { key, taskId: taskIdOf(project, key), payload, bodyHash, priority: submission.priority ?? 3 };
}

/** By task id, in the order given; the same key with two bodies in one call is a conflict, too. */
function distinct(asked: readonly Prepared[]): Map<string, Prepared> {
  const wanted = new Map<string, Prepared>();
  const conflicts = asked.filter((task) => {
    const first = wanted.get(task.taskId) ?? task;
    wanted.set(task.taskId, first);
    return first.bodyHash !== task.bodyHash;
  });
  refuseConflicts(conflicts);
  const bad = asked.flatMap(({ key }, i): Problem[] =>
    key.includes('\0') ? [{ path: `/${i}/key`, message: 'must not contain a NUL character' }] : [],
  );
  if (bad.length > 0) throw invalidInput('an idempotency key', bad);
  return wanted;
}

function refuseConflicts(conflicts: readonly Prepared[]): void {
  if (conflicts.length === 0) return;
  const problems = conflicts.map(({ key }) => ({ path: `/${key}`, message: 'this key holds another body' }));
  throw new ChimeraError('CHIMERA_CONFLICT', {
    what: conflicts.length === 1 ? 'a task' : 'each of some tasks',
    problems,
  });
}

async function latestTaskType(
  tx: Queryable,
  project: string,
  taskType: string,
): Promise<{ version: number; deadlineMs: number }> {
  const rows = await tx.query<{ version: number; document: string }>(
    'SELECT version, document FROM task_types WHERE project = $1 AND name = $2 ORDER BY version DESC LIMIT 1',
    [project, taskType],
  );
  if (rows[0] === undefined) throw await unknownTaskType(tx, project, taskType);
  const { feedbackDeadlineMs } = JSON.parse(rows[0].document) as TaskTypeDocument;
  return { version: rows[0].version, deadlineMs: feedbackDeadlineMs ?? DEFAULT_FEEDBACK_DEADLINE_MS };
}

async function bodies(tx: Queryable, project: string, ids: readonly string[]): Promise<Map<string, string>> {
  const rows = await tx.query<{ id: string; hash: string }>(
    `SELECT task_id AS id, body_hash AS hash FROM tasks WHERE project = $1 AND task_id = ANY ($2) ORDER BY task_id`,
    [project, ids],
  );
  return new Map(rows.map((row) => [row.id, row.hash]));
}
