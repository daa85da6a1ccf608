import { failpoint } from '../contracts/failpoint.ts';
import type { ScoreRow } from '../contracts/records.ts';
import type { Database } from './database.ts';
import { columns, present } from './rows.ts';
import type { ScorePair, ScoresRepository } from './stream-types.ts';

const COLUMNS = `task_id AS "taskId", ordinal, agent_version AS "agentVersion", role, score, correct, predicted, expected`;

type Row = { [K in keyof ScoreRow]-?: ScoreRow[K] | null };

export function createScores(db: Database): ScoresRepository {
  /** By ordinal, then agent version; `versions` undefined: all. */
  async function select(
    project: string,
    taskType: string,
    from: number,
    to: number,
    versions?: string[],
  ): Promise<ScoreRow[]> {
    const rows = await db.query<Row>(
      `SELECT ${COLUMNS} FROM scores WHERE project = $1 AND task_type = $2 AND ordinal >= $3 AND ordinal < $4
         AND ($5::text[] IS NULL OR agent_version = ANY ($5)) ORDER BY ordinal, agent_version`,
      [project, taskType, from, to, versions ?? null],
    );
    return rows.map((row) => present<ScoreRow>(row));
  }

  return {
    async putMany(project, taskType, rows) {
      const inserted = await db.execute(
        `INSERT INTO scores (project, task_type, ordinal, agent_version, task_id, role, score, correct, predicted, expected)
         SELECT $1, $2, n.* FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::double precision[],
           $8::boolean[], $9::text[], $10::text[]) AS n
         ON CONFLICT (project, task_type, ordinal, agent_version) DO NOTHING`,
        [
          ...[project, taskType],
          ...columns(
            rows,
            (r) => r.ordinal,
            (r) => r.agentVersion,
            (r) => r.taskId,
            (r) => r.role,
            (r) => r.score,
            (r) => r.correct,
            (r) => r.predicted ?? null,
            (r) => r.expected ?? null,
          ),
        ],
      );
      failpoint('score.stored');
      return { inserted };
    },

    range: (project, taskType, from, to, agentVersion) =>
      select(project, taskType, from, to, agentVersion === undefined ? undefined : [agentVersion]),

    async pairs(project, taskType, from, to, champion, challenger) {
      const rows = await select(project, taskType, from, to, [champion, challenger]);
      const of = new Map(rows.filter((row) => row.agentVersion === champion).map((row) => [row.ordinal, row]));
      return rows
        .filter((row) => row.agentVersion === challenger)
        .flatMap((row): ScorePair[] => {
          const other = of.get(row.ordinal);
          return other ? [{ ordinal: row.ordinal, taskId: row.taskId, champion: other, challenger: row }] : [];
        });
    },
  };
}
