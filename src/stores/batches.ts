import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { Database } from './database.ts';
import { present } from './rows.ts';
import type { BatchesRepository, BatchRecord } from './stream-types.ts';

const COLUMNS = `project, batch_id AS "batchId", task_type AS "taskType", key, state, count, first, last,
  created_at AS "createdAt"`;

type Row = { [K in keyof BatchRecord]-?: BatchRecord[K] | null };

export function createBatches(db: Database): BatchesRepository {
  async function many(rest: string, values: unknown[]): Promise<BatchRecord[]> {
    const rows = await db.query<Row>(`SELECT ${COLUMNS} FROM batches ${rest}`, values);
    return rows.map((row) => present<BatchRecord>(row));
  }
  const get = async (project: string, batchId: string): Promise<BatchRecord | undefined> =>
    (await many('WHERE project = $1 AND batch_id = $2 ORDER BY batch_id', [project, batchId]))[0];
  const byKey = async (project: string, key: string): Promise<BatchRecord | undefined> =>
    (await many('WHERE project = $1 AND key = $2 ORDER BY batch_id', [project, key]))[0];

  async function required(project: string, batchId: string): Promise<BatchRecord> {
    const batch = await get(project, batchId);
    if (batch === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'batch', name: batchId });
    return batch;
  }

  return {
    get,
    byKey,
    async open(project, taskType, batchId, key) {
      await db.execute(
        'INSERT INTO batches (project, task_type, batch_id, key) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
        [project, taskType, batchId, key],
      );
      const batch = await byKey(project, key);
      if (batch?.taskType === taskType && batch.batchId === batchId) return batch;
      throw new ChimeraError('CHIMERA_CONFLICT', {
        what: batch === undefined ? `batch ${batchId}` : `batch key ${key}`,
      });
    },

    async close(project, batchId, count, first, last) {
      await db.transaction(async (tx) => {
        const closed = await tx.execute(
          `UPDATE batches SET state = 'closed', count = $3, first = $4, last = $5
           WHERE project = $1 AND batch_id = $2 AND state = 'open'`,
          [project, batchId, count, first ?? null, last ?? null],
        );
        if (closed > 0) await tx.query(`SELECT pg_notify('chimera_accepted', $1)`, [`${project}/${batchId}`]);
      });
      failpoint('batch.closed');
      return required(project, batchId);
    },

    list: (project, limit = 50) =>
      many('WHERE project = $1 ORDER BY created_at DESC, batch_id LIMIT $2', [project, limit]),
    undispatched: (limit) =>
      many(`WHERE state = 'closed' AND dispatched_at IS NULL ORDER BY batches.created_at, project, batch_id LIMIT $1`, [
        limit,
      ]),

    async markDispatched(project, batchId) {
      await db.execute(
        'UPDATE batches SET dispatched_at = now() WHERE project = $1 AND batch_id = $2 AND dispatched_at IS NULL',
        [project, batchId],
      );
    },

    async complete(project, batchId) {
      await db.execute(`UPDATE batches SET state = 'completed' WHERE project = $1 AND batch_id = $2`, [
        project,
        batchId,
      ]);
    },
  };
}
