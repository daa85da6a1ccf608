import { invalidInput } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { ExecutionRow, JsonValue } from '../contracts/records.ts';
import type { Database, Queryable } from './database.ts';
import { columns, json } from './rows.ts';
import { TASK_COLUMNS, toTask, type TaskRow } from './task-rows.ts';
import { notifyResolved } from './tasks.ts';
import type { ExecutionsRepository, StoredExecution } from './stream-types.ts';

const COLUMNS = `task_id AS "taskId", ordinal, agent_version AS "agentVersion", role, status, output, reason, fuel,
  model_calls AS "modelCalls", memory_bytes AS "memoryBytes", turns, record_hash AS "recordHash", features,
  stored_at AS "storedAt"`;

type Row = Omit<StoredExecution, 'output' | 'reason'> & { output: string | null; reason: string | null };

function toExecution({ output, reason, ...row }: Row): StoredExecution {
  return {
    ...row,
    ...(output === null ? {} : { output: JSON.parse(output) as JsonValue }),
    ...(reason === null ? {} : { reason: JSON.parse(reason) as { code: string; message: string } }),
  };
}

export function createExecutions(db: Database): ExecutionsRepository {
  return {
    async putMany(project, taskType, rows) {
      if (rows.length === 0) return { inserted: 0, divergent: [] };
      const result = await db.transaction(async (tx) => {
        await lockTasks(tx, project, taskType, rows);
        const inserted = await insert(tx, project, taskType, rows);
        const divergent = inserted < rows.length ? await divergentTasks(tx, project, taskType, rows) : [];
        if (await advanceTasks(tx, project, taskType, rows)) await notifyResolved(tx, project, taskType);
        return { inserted, divergent };
      });
      failpoint('execution.stored');
      return result;
    },

    async forTask(project, taskId) {
      const rows = await db.query<Row>(
        `SELECT ${COLUMNS} FROM executions WHERE (project, task_type, ordinal) =
           (SELECT project, task_type, ordinal FROM tasks WHERE project = $1 AND task_id = $2) ORDER BY role`,
        [project, taskId],
      );
      return rows.map(toExecution);
    },

    async range(project, taskType, from, to) {
      const rows = await db.query<Row>(
        `SELECT ${COLUMNS} FROM executions WHERE project = $1 AND task_type = $2 AND ordinal >= $3 AND ordinal < $4
         ORDER BY ordinal, role`,
        [project, taskType, from, to],
      );
      return rows.map(toExecution);
    },

    async ofStream(project, taskType, from, to) {
      // LIMIT keeps it a look by full key for each row: that plan stays good where a table has grown since its statistics.
      const rows = await db.query<Row & { taskTypeVersion: number }>(
        `SELECT ${COLUMNS}, task_type_version AS "taskTypeVersion" FROM executions e
         JOIN LATERAL (
           SELECT t.task_type_version, t.died FROM tasks t
           WHERE t.project = e.project AND t.task_type = e.task_type AND t.ordinal = e.ordinal LIMIT 1
         ) task ON NOT task.died
         WHERE project = $1 AND task_type = $2 AND ordinal >= $3 AND ordinal < $4 ORDER BY ordinal, role`,
        [project, taskType, from, to],
      );
      return rows.map((row) => ({ ...toExecution(row), taskTypeVersion: row.taskTypeVersion }));
    },

    async missing(project, taskType, from, to, { batchId } = {}) {
      const rows = await db.query<TaskRow>(
        `SELECT ${TASK_COLUMNS} FROM tasks t
         WHERE t.project = $1 AND t.task_type = $2 AND t.ordinal >= $3 AND t.ordinal < $4
           AND NOT t.executed AND t.state <> 'dead' AND ($5::text IS NULL OR t.batch_id = $5)
         ORDER BY t.ordinal`,
        [project, taskType, from, to, batchId ?? null],
      );
      return rows.map(toTask);
    },

    counts: (project, taskType) =>
      db.query(
        `SELECT agent_version AS "agentVersion", role, status, count(*) FROM executions
         WHERE project = $1 AND task_type = $2 GROUP BY agent_version, role, status
         ORDER BY agent_version, role, status`,
        [project, taskType],
      ),
  };
}

/** In the order of ordinals, as everybody who locks tasks does, so that no two wait for each other. */
async function lockTasks(
  tx: Queryable,
  project: string,
  taskType: string,
  rows: readonly ExecutionRow[],
): Promise<void> {
  const known = await tx.query<{ id: string; ordinal: number }>(
    `SELECT task_id AS id, ordinal FROM tasks WHERE project = $1 AND task_type = $2 AND ordinal = ANY ($3)
     ORDER BY ordinal FOR NO KEY UPDATE`,
    [project, taskType, rows.map((row) => row.ordinal)],
  );
  const ids = new Map(known.map((task) => [task.ordinal, task.id]));
  const problems = rows.flatMap((row, i) =>
    ids.get(row.ordinal) === row.taskId
      ? []
      : [{ path: `/${i}`, message: `there is no task ${row.taskId} at ordinal ${row.ordinal} of ${taskType}` }],
  );
  if (problems.length > 0) throw invalidInput('an execution', problems);
}

const insert = (tx: Queryable, project: string, taskType: string, rows: readonly ExecutionRow[]): Promise<number> =>
  tx.execute(
    `INSERT INTO executions (project, task_type, ordinal, role, task_id, agent_version, status, output, reason, fuel,
       model_calls, memory_bytes, turns, record_hash, features)
     SELECT $1, $2, n.ordinal, n.role, n.task_id, n.agent_version, n.status, n.output, n.reason, n.fuel, n.model_calls,
       n.memory_bytes, n.turns, n.record_hash, n.features::double precision[]
     FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[],
       $11::bigint[], $12::bigint[], $13::int[], $14::text[], $15::text[])
       AS n (ordinal, role, task_id, agent_version, status, output, reason, fuel, model_calls, memory_bytes, turns,
         record_hash, features)
     ON CONFLICT (project, task_type, ordinal, role) DO NOTHING`,
    [
      ...[project, taskType],
      ...columns(
        rows,
        (r) => r.ordinal,
        (r) => r.role,
        (r) => r.taskId,
        (r) => r.agentVersion,
        (r) => r.status,
        (r) => json(r.output),
        (r) => json(r.reason),
        (r) => r.fuel,
        (r) => r.modelCalls,
        (r) => r.memoryBytes,
        (r) => r.turns,
        (r) => r.recordHash,
        (r) => `{${r.features.join(',')}}`,
      ),
    ],
  );

async function divergentTasks(
  tx: Queryable,
  project: string,
  taskType: string,
  rows: readonly ExecutionRow[],
): Promise<string[]> {
  const stored = await tx.query<Pick<ExecutionRow, 'ordinal' | 'role' | 'recordHash'>>(
    `SELECT ordinal, role, record_hash AS "recordHash" FROM executions
     WHERE project = $1 AND task_type = $2 AND ordinal = ANY ($3) ORDER BY ordinal, role`,
    [project, taskType, rows.map((row) => row.ordinal)],
  );
  const hashes = new Map(stored.map((row) => [`${row.ordinal}/${row.role}`, row.recordHash]));
  const divergent = rows.filter((row) => hashes.get(`${row.ordinal}/${row.role}`) !== row.recordHash);
  return [...new Set(divergent.map((row) => row.taskId))];
}

/**
 * Sets state and `executed` of the tasks from what is stored; true where one of them is resolved. A sub-query by full key
 * instead of a join: its plan stays good where a table has grown since its statistics were taken. One for both columns: it is
 * the cost of the statement.
 */
async function advanceTasks(
  tx: Queryable,
  project: string,
  taskType: string,
  rows: readonly ExecutionRow[],
): Promise<boolean> {
  const [result] = await tx.query<{ resolved: boolean | null }>(
    `WITH moved AS (
       UPDATE tasks t SET (state, executed) = (
         SELECT CASE WHEN t.state = 'dead' THEN t.state
                ELSE coalesce(max(e.status) FILTER (WHERE e.role = 'served'), t.state) END,
           count(*) FILTER (WHERE e.role = 'served') > 0
             AND (t.shadow IS NULL OR count(*) FILTER (WHERE e.role = 'shadow') > 0)
         FROM executions e WHERE e.project = t.project AND e.task_type = t.task_type AND e.ordinal = t.ordinal)
       WHERE t.project = $1 AND t.task_type = $2 AND t.ordinal = ANY ($3) AND NOT t.executed
       RETURNING t.resolved
     ) SELECT bool_or(resolved) AS resolved FROM moved ORDER BY 1`,
    [project, taskType, rows.map((row) => row.ordinal)],
  );
  return result?.resolved ?? false;
}
