import { isDeepStrictEqual } from 'node:util';
import { ChimeraError, invalidInput } from '../contracts/errors.ts';
import type { Approval } from '../contracts/executions.ts';
import type { JsonValue } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import { appendAudit } from './audit.ts';
import type { Database, Queryable } from './database.ts';
import type { ApprovalsRepository } from './execution-types.ts';
import { json, only, present } from './rows.ts';

const COLUMNS = `approval_id AS "approvalId", execution_id AS "executionId", task_type AS "taskType", turn, index, question,
  options, asked_at AS "askedAt", deadline, answer, answered_by AS "answeredBy", answered_at AS "answeredAt"`;

type Row = { [K in keyof Required<Approval>]: Approval[K] | null } & { options: string | null; answer: string | null };

const read = (text: string | null): JsonValue | undefined =>
  text === null ? undefined : (JSON.parse(text) as JsonValue);

function toApproval({ options, answer, ...row }: Row): Approval {
  const known = present<Approval>({ ...(row as unknown as Approval), options: read(options) as JsonValue[] });
  // `null` is an answer, too.
  return answer === null ? known : { ...known, answer: read(answer)! };
}

async function find(on: Queryable, project: string, approvalId: string): Promise<Approval | undefined> {
  const rows = await on.query<Row>(
    `SELECT ${COLUMNS} FROM approvals WHERE project = $1 AND approval_id = $2 ORDER BY 1`,
    [project, approvalId],
  );
  return rows[0] && toApproval(rows[0]);
}

export function createApprovals(db: Database): ApprovalsRepository {
  return {
    get: (project, approvalId) => find(db, project, approvalId),

    async ask(project, q) {
      await db.execute(
        `INSERT INTO approvals (project, approval_id, execution_id, task_type, turn, index, question, options, deadline)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
        [
          ...[project, q.approvalId, q.executionId, q.taskType, q.turn, q.index, q.question],
          ...[json(q.options), q.deadline ?? null],
        ],
      );
      return (await find(db, project, q.approvalId))!;
    },

    async list(project, { all = false, executionId, limit = 100 } = {}) {
      const rows = await db.query<Row>(
        `SELECT ${COLUMNS} FROM approvals a
         WHERE project = $1 AND ($3::text IS NULL OR execution_id = $3)
           AND ($2 OR (answered_at IS NULL AND (deadline IS NULL OR deadline > now()) AND NOT EXISTS (
             SELECT FROM long_executions l
             WHERE l.project = a.project AND l.execution_id = a.execution_id AND l.record IS NOT NULL)))
         ORDER BY asked_at, execution_id, turn, index LIMIT $4`,
        [project, all, executionId ?? null, limit],
      );
      return rows.map(toApproval);
    },

    answer: (project, approvalId, answer, by) =>
      db.transaction(async (tx) => {
        const asked = await find(tx, project, approvalId);
        if (asked === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'question', name: approvalId });
        const { options } = asked;
        if (options !== undefined && !options.some((option) => isDeepStrictEqual(option, answer))) {
          const message = `must be one of ${options.map((option) => JSON.stringify(option)).join(', ')}`;
          throw invalidInput('the answer', [{ path: '/answer', message }]);
        }
        const rows = await tx.query<Row>(
          `UPDATE approvals SET answer = $3, answered_by = $4, answered_at = now()
           WHERE project = $1 AND approval_id = $2 AND answered_at IS NULL RETURNING ${COLUMNS}`,
          [project, approvalId, canonicalJson(answer), by],
        );
        if (rows.length > 0) {
          await appendAudit(tx, project, {
            type: 'approval.answered',
            actor: by,
            subject: approvalId,
            details: { question: asked.question, answer },
          });
          return toApproval(only(rows));
        }
        const first = (await find(tx, project, approvalId))!;
        if (!isDeepStrictEqual(first.answer, answer)) {
          throw new ChimeraError('CHIMERA_CONFLICT', { what: `an answer to ${approvalId}` });
        }
        return first;
      }),
  };
}
