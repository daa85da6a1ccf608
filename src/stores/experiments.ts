import { ChimeraError } from '../contracts/errors.ts';
import type { ArtifactRef, JsonObject, JsonValue } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import type { Database, Queryable } from './database.ts';
import { columns, only } from './rows.ts';
import type {
  CandidateRow,
  CandidatesRepository,
  EvaluationsRepository,
  ExperimentRecord,
  ExperimentsRepository,
  SnapshotsRepository,
} from './registry-types.ts';

export function createExperiments(db: Database): ExperimentsRepository {
  async function select(on: Queryable, rest: string, values: unknown[]): Promise<ExperimentRecord[]> {
    const rows = await on.query<Omit<ExperimentRecord, 'document'> & { text: string }>(
      `SELECT id, project, task_type AS "taskType", status, document AS text, updated_at AS "updatedAt"
       FROM experiments ${rest}`,
      values,
    );
    return rows.map(({ text, ...row }) => ({ ...row, document: JSON.parse(text) as JsonObject }));
  }
  const BY_ID = 'WHERE project = $1 AND id = $2 ORDER BY id';

  return {
    async put(project, { id, taskType, document }) {
      await db.execute(
        `INSERT INTO experiments (project, id, task_type, status, document) VALUES ($1, $2, $3, 'running', $4)
         ON CONFLICT DO NOTHING`,
        [project, id, taskType, canonicalJson(document)],
      );
      return only(await select(db, BY_ID, [project, id]));
    },
    get: async (project, id) => (await select(db, BY_ID, [project, id]))[0],
    list: (project, taskType) =>
      select(db, 'WHERE project = $1 AND ($2::text IS NULL OR task_type = $2) ORDER BY entry', [
        project,
        taskType ?? null,
      ]),
    async updateStatus(project, id, status, document) {
      const changed = await db.execute(
        `UPDATE experiments SET status = $3, document = coalesce($4, document), updated_at = now()
         WHERE project = $1 AND id = $2`,
        [project, id, status, document === undefined ? null : canonicalJson(document)],
      );
      if (changed === 0) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'experiment', name: id });
    },
  };
}

export function createCandidates(db: Database): CandidatesRepository {
  return {
    async putMany(project, experiment, rows) {
      await db.execute(
        `INSERT INTO candidates (project, experiment, id, generation, index, parents, operator, genome_hash, quality,
           cost, document)
         SELECT $1, $2, n.* FROM unnest($3::text[], $4::int[], $5::int[], $6::text[], $7::text[], $8::text[],
           $9::double precision[], $10::double precision[], $11::text[]) AS n
         ON CONFLICT (project, experiment, id) DO NOTHING`,
        [
          ...[project, experiment],
          ...columns(
            rows,
            (r) => r.id,
            (r) => r.generation,
            (r) => r.index,
            (r) => canonicalJson(r.parents),
            (r) => r.operator,
            (r) => r.genomeHash,
            (r) => r.quality,
            (r) => r.cost,
            (r) => canonicalJson(r.document),
          ),
        ],
      );
    },

    async list(project, experiment, { generation } = {}) {
      const rows = await db.query<Omit<CandidateRow, 'parents' | 'document'> & { parents: string; document: string }>(
        `SELECT id, generation, index, parents, operator, genome_hash AS "genomeHash", quality, cost, document
         FROM candidates WHERE project = $1 AND experiment = $2 AND ($3::int IS NULL OR generation = $3)
         ORDER BY generation, index, id`,
        [project, experiment, generation ?? null],
      );
      return rows.map(({ parents, document, ...row }) => ({
        ...row,
        parents: JSON.parse(parents) as string[],
        document: JSON.parse(document) as JsonObject,
      }));
    },
  };
}

export function createEvaluations(db: Database): EvaluationsRepository {
  return {
    async getMany(project, dataHash, subjects) {
      const rows = await db.query<{ subject: string; document: string }>(
        `SELECT subject, document FROM evaluations WHERE project = $1 AND data_hash = $2 AND subject = ANY ($3)
         ORDER BY subject`,
        [project, dataHash, subjects],
      );
      return new Map(rows.map((row) => [row.subject, JSON.parse(row.document) as JsonValue]));
    },
    async putMany(project, dataHash, rows) {
      const inserted = await db.execute(
        `INSERT INTO evaluations (project, data_hash, subject, document)
         SELECT $1, $2, n.* FROM unnest($3::text[], $4::text[]) AS n ON CONFLICT DO NOTHING`,
        [
          project,
          dataHash,
          ...columns(
            rows,
            (r) => r.subject,
            (r) => canonicalJson(r.document),
          ),
        ],
      );
      return { inserted };
    },
  };
}

export function createSnapshots(db: Database): SnapshotsRepository {
  async function newest(
    where: string,
    values: unknown[],
  ): Promise<{ step: number; artifact: ArtifactRef } | undefined> {
    const rows = await db.query<{ step: number; artifact: string }>(
      `SELECT step, artifact FROM snapshots WHERE ${where} ORDER BY step DESC LIMIT 1`,
      values,
    );
    return rows[0] && { step: rows[0].step, artifact: JSON.parse(rows[0].artifact) as ArtifactRef };
  }

  return {
    async put(project, name, step, artifact) {
      await db.execute(
        'INSERT INTO snapshots (project, name, step, artifact) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
        [project, name, step, canonicalJson(artifact)],
      );
    },
    get: async (project, name, step) =>
      (await newest('project = $1 AND name = $2 AND step = $3', [project, name, step]))?.artifact,
    latest: (project, name, until) =>
      until === undefined
        ? newest('project = $1 AND name = $2', [project, name])
        : newest('project = $1 AND name = $2 AND step <= $3', [project, name, until]),
    async prune(project, name, keep) {
      await db.execute(
        `DELETE FROM snapshots WHERE project = $1 AND name = $2 AND step NOT IN
           (SELECT step FROM snapshots WHERE project = $1 AND name = $2 ORDER BY step DESC LIMIT $3)`,
        [project, name, keep],
      );
    },
  };
}
