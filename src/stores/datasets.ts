import { failpoint } from '../contracts/failpoint.ts';
import type { DatasetRecord } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import { appendAudit } from './audit.ts';
import type { Database, Queryable } from './database.ts';
import { only } from './rows.ts';
import { lockStream } from './streams.ts';
import type { DatasetsRepository } from './registry-types.ts';

export function createDatasets(db: Database): DatasetsRepository {
  async function select(on: Queryable, rest: string, values: unknown[]): Promise<DatasetRecord[]> {
    const rows = await on.query<{ project: string; version: number; document: string }>(
      `SELECT project, version, document FROM datasets ${rest}`,
      values,
    );
    return rows.map(({ project, version, document }) => ({
      ...(JSON.parse(document) as Omit<DatasetRecord, 'project' | 'version'>),
      project,
      version,
    }));
  }
  const BY_ID = 'WHERE project = $1 AND id = $2 ORDER BY id';

  return {
    async put(project, dataset, audit) {
      const { id, taskType, artifact, counts, uptoOrdinal, datasheet } = dataset;
      const stored = await db.transaction(async (tx) => {
        await lockStream(tx, project, taskType);
        const known = await select(tx, BY_ID, [project, id]);
        if (known[0] !== undefined) return known[0];
        await tx.execute(
          `INSERT INTO datasets (project, id, task_type, version, document)
           SELECT $1, $2, $3, coalesce(max(version), 0) + 1, $4 FROM datasets WHERE project = $1 AND task_type = $3`,
          [project, id, taskType, canonicalJson({ id, taskType, artifact, counts, uptoOrdinal, datasheet })],
        );
        if (audit !== undefined) await appendAudit(tx, project, audit);
        return only(await select(tx, BY_ID, [project, id]));
      });
      failpoint('dataset.row');
      return stored;
    },

    get: async (project, id) => (await select(db, BY_ID, [project, id]))[0],
    latest: async (project, taskType) =>
      (await select(db, 'WHERE project = $1 AND task_type = $2 ORDER BY version DESC LIMIT 1', [project, taskType]))[0],
    list: (project, taskType) =>
      select(db, 'WHERE project = $1 AND task_type = $2 ORDER BY version', [project, taskType]),
  };
}
