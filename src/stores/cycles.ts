import type { ArtifactRef, JsonObject } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import { appendAudit } from './audit.ts';
import type { Database, Queryable } from './database.ts';
import { json, only } from './rows.ts';
import type { CycleRecord, CyclesRepository } from './registry-types.ts';

type Row = Omit<CycleRecord, 'document' | 'report'> & { document: string; report: string | null };

export function createCycles(db: Database): CyclesRepository {
  async function select(on: Queryable, rest: string, values: unknown[]): Promise<CycleRecord[]> {
    const rows = await on.query<Row>(
      `SELECT id, project, task_type AS "taskType", status, log, document, report, updated_at AS "updatedAt"
       FROM cycles ${rest}`,
      values,
    );
    return rows.map(({ document, report, ...row }) => ({
      ...row,
      document: JSON.parse(document) as JsonObject,
      ...(report === null ? {} : { report: JSON.parse(report) as ArtifactRef }),
    }));
  }
  const BY_ID = 'WHERE project = $1 AND id = $2 ORDER BY id';

  return {
    put: (project, { id, taskType, status, log, document, report }, audit) =>
      db.transaction(async (tx) => {
        const changed = await tx.execute(
          `INSERT INTO cycles AS c (project, id, task_type, status, log, document, report)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (project, id) DO UPDATE SET status = excluded.status, log = excluded.log,
             document = excluded.document, report = excluded.report, updated_at = now()
           WHERE (c.status, c.log, c.document, c.report)
             IS DISTINCT FROM (excluded.status, excluded.log, excluded.document, excluded.report)`,
          [project, id, taskType, status, log, canonicalJson(document), json(report)],
        );
        if (changed > 0 && audit !== undefined) await appendAudit(tx, project, audit);
        return only(await select(tx, BY_ID, [project, id]));
      }),
    get: async (project, id) => (await select(db, BY_ID, [project, id]))[0],
    list: (project, { taskType, limit = 50 } = {}) =>
      select(db, 'WHERE project = $1 AND ($2::text IS NULL OR task_type = $2) ORDER BY entry DESC LIMIT $3', [
        project,
        taskType ?? null,
        limit,
      ]),
  };
}
