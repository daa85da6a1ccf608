import { failpoint } from '../contracts/failpoint.ts';
import type { AgentManifest, ModelRecord } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import { appendAudit } from './audit.ts';
import type { Database, Queryable } from './database.ts';
import { only } from './rows.ts';
import type { ModelsRepository } from './registry-types.ts';

export function createModels(db: Database): ModelsRepository {
  async function select(on: Queryable, rest: string, values: unknown[]): Promise<ModelRecord[]> {
    const rows = await on.query<{ project: string; document: string }>(
      `SELECT project, document FROM models ${rest}`,
      values,
    );
    return rows.map((row) => ({
      ...(JSON.parse(row.document) as Omit<ModelRecord, 'project'>),
      project: row.project,
    }));
  }

  return {
    async put(project, model, audit) {
      const { id, name, taskType, artifact, price, dataset, spec, report } = model;
      const stored = await db.transaction(async (tx) => {
        const created = await tx.execute(
          `INSERT INTO models (project, id, task_type, dataset, document) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT DO NOTHING`,
          [
            ...[project, id, taskType, dataset],
            canonicalJson({ id, name, taskType, artifact, price, dataset, spec, report }),
          ],
        );
        if (created > 0 && audit !== undefined) await appendAudit(tx, project, audit);
        return only(await select(tx, 'WHERE project = $1 AND id = $2 ORDER BY id', [project, id]));
      });
      failpoint('model.row');
      return stored;
    },

    get: async (project, id) => (await select(db, 'WHERE project = $1 AND id = $2 ORDER BY id', [project, id]))[0],

    list: (project, { taskType, dataset } = {}) =>
      select(
        db,
        `WHERE project = $1 AND ($2::text IS NULL OR task_type = $2) AND ($3::text IS NULL OR dataset = $3)
         ORDER BY entry`,
        [project, taskType ?? null, dataset ?? null],
      ),

    async active(project, taskType) {
      const agents = await db.query<{ document: string }>(
        `SELECT a.document FROM agent_versions a JOIN (
           SELECT DISTINCT ON (task_type) champion, challenger FROM deployments
           WHERE project = $1 AND ($2::text IS NULL OR task_type = $2) ORDER BY task_type, epoch DESC
         ) d ON a.id IN (d.champion, d.challenger) WHERE a.project = $1 ORDER BY a.id`,
        [project, taskType ?? null],
      );
      const ids = agents.flatMap(({ document }) =>
        Object.values((JSON.parse(document) as { manifest: AgentManifest }).manifest.models),
      );
      return select(db, 'WHERE project = $1 AND id = ANY ($2) ORDER BY id', [project, ids]);
    },
  };
}
