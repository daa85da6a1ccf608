import { ChimeraError } from '../contracts/errors.ts';
import type { JsonObject } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import { appendAudit } from './audit.ts';
import type { Database, Queryable } from './database.ts';
import { only, present } from './rows.ts';
import type { RolloutRecord, RolloutsRepository } from './registry-types.ts';

const COLUMNS = `id, project, task_type AS "taskType", champion, challenger, state, document AS text, revision,
  decided_at AS "decidedAt"`;

type Row = Omit<RolloutRecord, 'document' | 'decidedAt'> & { text: string; decidedAt: string | null };

const toRollout = ({ text, ...row }: Row): RolloutRecord =>
  present<RolloutRecord>({ ...row, document: JSON.parse(text) as JsonObject });

export function createRollouts(db: Database): RolloutsRepository {
  async function select(on: Queryable, rest: string, values: unknown[]): Promise<RolloutRecord[]> {
    return (await on.query<Row>(`SELECT ${COLUMNS} FROM rollouts ${rest}`, values)).map(toRollout);
  }

  /** The row, locked until the transaction ends. */
  async function locked(tx: Queryable, project: string, id: string): Promise<RolloutRecord> {
    const [rollout] = await select(tx, 'WHERE project = $1 AND id = $2 ORDER BY id FOR UPDATE', [project, id]);
    if (rollout === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'rollout', name: id });
    return rollout;
  }

  const equal = (a: Pick<RolloutRecord, 'state' | 'document'>, b: Pick<RolloutRecord, 'state' | 'document'>): boolean =>
    a.state === b.state && canonicalJson(a.document) === canonicalJson(b.document);

  async function update(
    tx: Queryable,
    project: string,
    id: string,
    next: Pick<RolloutRecord, 'state' | 'document'>,
    decided: boolean,
  ): Promise<RolloutRecord> {
    const rows = await tx.query<Row>(
      `UPDATE rollouts SET state = $3, document = $4, revision = revision + 1,
         decided_at = CASE WHEN $5 THEN now() END
       WHERE project = $1 AND id = $2 RETURNING ${COLUMNS}`,
      [project, id, next.state, canonicalJson(next.document), decided],
    );
    return toRollout(only(rows));
  }

  return {
    create: (project, { id, taskType, champion, challenger, state, document }, audit) =>
      db.transaction(async (tx) => {
        const created = await tx.execute(
          `INSERT INTO rollouts (project, id, task_type, champion, challenger, state, document)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
          [project, id, taskType, champion, challenger, state, canonicalJson(document)],
        );
        if (created > 0 && audit !== undefined) await appendAudit(tx, project, audit);
        return locked(tx, project, id);
      }),

    get: async (project, id) => (await select(db, 'WHERE project = $1 AND id = $2 ORDER BY id', [project, id]))[0],
    list: (project, taskType) =>
      select(db, 'WHERE project = $1 AND ($2::text IS NULL OR task_type = $2) ORDER BY entry', [
        project,
        taskType ?? null,
      ]),

    compareAndSet: (project, id, expectedRevision, next) =>
      db.transaction(async (tx) => {
        const rollout = await locked(tx, project, id);
        if (equal(rollout, next)) return rollout;
        if (rollout.revision !== expectedRevision || rollout.decidedAt !== undefined) {
          throw new ChimeraError('CHIMERA_CONFLICT', { what: `rollout ${id} at revision ${rollout.revision}` });
        }
        return update(tx, project, id, next, false);
      }),

    decide: (project, id, decision, audit) =>
      db.transaction(async (tx) => {
        const rollout = await locked(tx, project, id);
        if (rollout.decidedAt !== undefined) {
          if (equal(rollout, decision)) return rollout;
          throw new ChimeraError('CHIMERA_CONFLICT', { what: `the decision of rollout ${id}` });
        }
        await appendAudit(tx, project, audit);
        return update(tx, project, id, decision, true);
      }),
  };
}
