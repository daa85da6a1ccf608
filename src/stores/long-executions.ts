import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { ExecutionConfig, LongExecution } from '../contracts/executions.ts';
import type { AuditEvent, JsonObject } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import { appendAudit } from './audit.ts';
import type { Database } from './database.ts';
import type { Ending, LongExecutionsRepository, NewLongExecution } from './execution-types.ts';
import { only, present } from './rows.ts';

const COLUMNS = `project, execution_id AS "executionId", task_type AS "taskType", task_id AS "taskId", ordinal,
  agent_version AS "agentVersion", parent, from_turn AS "fromTurn", depth, config, state, turn, fuel, record,
  record_hash AS "recordHash", started_at AS "startedAt", ended_at AS "endedAt"`;

type Row = { [K in keyof Required<LongExecution>]: LongExecution[K] | null } & {
  config: string;
  record: string | null;
};

function toLongExecution({ config, record, ...row }: Row): LongExecution {
  return present<LongExecution>({
    ...(row as unknown as LongExecution),
    config: JSON.parse(config) as ExecutionConfig,
    record: record === null ? undefined : (JSON.parse(record) as JsonObject),
  });
}

export function createLongExecutions(db: Database): LongExecutionsRepository {
  async function get(project: string, executionId: string): Promise<LongExecution | undefined> {
    const rows = await db.query<Row>(
      `SELECT ${COLUMNS} FROM long_executions WHERE project = $1 AND execution_id = $2 ORDER BY 1`,
      [project, executionId],
    );
    return rows[0] && toLongExecution(rows[0]);
  }

  async function require(project: string, executionId: string): Promise<LongExecution> {
    const found = await get(project, executionId);
    if (found === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'execution', name: executionId });
    return found;
  }

  async function open(project: string, e: NewLongExecution, audit?: AuditEvent): Promise<LongExecution> {
    await db.transaction(async (tx) => {
      const opened = await tx.execute(
        `INSERT INTO long_executions (project, execution_id, task_type, task_id, ordinal, agent_version, parent, from_turn,
           depth, config) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
        [
          ...[project, e.executionId, e.taskType, e.taskId, e.ordinal, e.agentVersion],
          ...[e.parent ?? null, e.fromTurn ?? null, e.depth, canonicalJson(e.config)],
        ],
      );
      if (opened > 0 && audit !== undefined) await appendAudit(tx, project, audit);
    });
    failpoint('turns.opened');
    const stored = await require(project, e.executionId);
    const same =
      stored.agentVersion === e.agentVersion &&
      stored.taskId === e.taskId &&
      stored.parent === e.parent &&
      stored.fromTurn === e.fromTurn &&
      canonicalJson(stored.config) === canonicalJson(e.config);
    if (!same) throw new ChimeraError('CHIMERA_CONFLICT', { what: `the execution ${e.executionId}` });
    return stored;
  }

  return {
    get,
    require,
    open: (project, execution) => open(project, execution),

    fork: (project, fork, actor) => {
      const { parent, fromTurn, agentVersion, executionId } = fork;
      const details = { parent, turn: fromTurn, agentVersion };
      return open(project, fork, { type: 'execution.forked', actor, subject: executionId, details });
    },

    async list(project, { taskType, taskId, state, limit = 50 } = {}) {
      const rows = await db.query<Row>(
        `SELECT ${COLUMNS} FROM long_executions
         WHERE project = $1 AND ($2::text IS NULL OR task_type = $2) AND ($3::text IS NULL OR task_id = $3)
           AND ($4::text IS NULL OR state = $4)
         ORDER BY started_at DESC, execution_id DESC LIMIT $5`,
        [project, taskType ?? null, taskId ?? null, state ?? null, limit],
      );
      return rows.map(toLongExecution);
    },

    async position(project, executionId) {
      const [row] = await db.query<{
        turn: number;
        fuel: number;
        agentState: Uint8Array | null;
        suspension: string | null;
        ending: string | null;
        money: number;
        tokens: number;
      }>(
        `SELECT l.turn, l.fuel, l.agent_state AS "agentState", l.suspension, l.ending,
           coalesce(sum(e.cost), 0)::double precision AS money, coalesce(sum(e.tokens), 0)::bigint AS tokens
         FROM long_executions l LEFT JOIN effects e USING (project, execution_id)
         WHERE l.project = $1 AND l.execution_id = $2
         GROUP BY l.project, l.execution_id ORDER BY 1`,
        [project, executionId],
      );
      if (row === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'execution', name: executionId });
      const { turn, fuel, agentState, suspension, ending, money, tokens } = row;
      return {
        spent: { money, tokens },
        ...(ending === null ? {} : { ending: JSON.parse(ending) as Ending }),
        ...(suspension === null || agentState === null
          ? {}
          : { position: { turn, fuel, agentState, suspension: JSON.parse(suspension) as JsonObject } }),
      };
    },

    async savePosition(project, executionId, { turn, fuel, agentState, suspension }) {
      await db.execute(
        `UPDATE long_executions SET turn = $3, fuel = $4, agent_state = $5, suspension = $6
         WHERE project = $1 AND execution_id = $2 AND record IS NULL AND turn <= $3`,
        [project, executionId, turn, fuel, agentState, canonicalJson(suspension)],
      );
      failpoint('turns.saved');
    },

    setState: (project, executionId, state, audit) =>
      db.transaction(async (tx) => {
        const changed = await tx.execute(
          `UPDATE long_executions SET state = $3
           WHERE project = $1 AND execution_id = $2 AND state IN ('running', 'paused') AND state <> $3`,
          [project, executionId, state],
        );
        if (changed > 0 && audit !== undefined) await appendAudit(tx, project, audit);
        return changed > 0;
      }),

    setEnding: (project, executionId, ending, audit) =>
      db.transaction(async (tx) => {
        const changed = await tx.execute(
          'UPDATE long_executions SET ending = $3 WHERE project = $1 AND execution_id = $2 AND ending IS NULL',
          [project, executionId, canonicalJson(ending)],
        );
        if (changed > 0 && audit !== undefined) await appendAudit(tx, project, audit);
        const rows = await tx.query<{ ending: string }>(
          'SELECT ending FROM long_executions WHERE project = $1 AND execution_id = $2 ORDER BY 1',
          [project, executionId],
        );
        return JSON.parse(only(rows).ending) as Ending;
      }),

    async finish(project, executionId, { state, record, recordHash, turn, fuel }, audit) {
      await db.transaction(async (tx) => {
        const finished = await tx.execute(
          `UPDATE long_executions
           SET state = $3, record = $4, record_hash = $5, turn = $6, fuel = $7, ended_at = now(), agent_state = NULL,
             suspension = NULL
           WHERE project = $1 AND execution_id = $2 AND record IS NULL`,
          [project, executionId, state, canonicalJson(record), recordHash, turn, fuel],
        );
        if (finished > 0) await appendAudit(tx, project, audit);
      });
      failpoint('turns.finished');
      const stored = await require(project, executionId);
      if (stored.recordHash !== recordHash) {
        const why = `execution ${executionId} gave another record than before`;
        throw new ChimeraError('CHIMERA_INTERNAL', { why });
      }
    },
  };
}
