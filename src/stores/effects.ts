import { failpoint } from '../contracts/failpoint.ts';
import type { ArtifactRef, EffectKind, JsonValue } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import type { Database } from './database.ts';
import type { EffectsRepository, Ending, MemoryBlocksRepository, StoredEffect } from './execution-types.ts';
import { columns, only } from './rows.ts';

const COLUMNS = `e.turn, e.index, e.kind, e.request_hash AS "requestHash", e.request, e.ok, e.body, e.artifact, e.scores,
  e.answered_by AS "answeredBy", e.cost, e.tokens, e.performed_at AS "performedAt"`;

type Row = Omit<StoredEffect, 'request' | 'body'> & { request: string; body: string | null; artifact: string | null };

function toEffect<R extends Row>({ body, artifact, request, ...row }: R): StoredEffect {
  return {
    ...row,
    request: JSON.parse(request) as JsonValue,
    body: body ?? (JSON.parse(artifact!) as ArtifactRef),
  };
}

export function createEffects(db: Database): EffectsRepository {
  return {
    async record(project, executionId, effects, ending) {
      const wanted = await db.transaction(async (tx) => {
        const recorded = await tx.execute(
          `INSERT INTO effects (project, execution_id, turn, index, kind, request_hash, request, ok, body, artifact, scores,
             answered_by, cost, tokens)
           SELECT $1, $2, n.turn, n.index, n.kind, n.request_hash, n.request, n.ok, n.body, n.artifact,
             n.scores::double precision[], n.answered_by, n.cost, n.tokens
           FROM unnest($3::int[], $4::int[], $5::text[], $6::text[], $7::text[], $8::boolean[], $9::text[], $10::text[],
             $11::text[], $12::text[], $13::double precision[], $14::bigint[])
             AS n (turn, index, kind, request_hash, request, ok, body, artifact, scores, answered_by, cost, tokens)
           ON CONFLICT (project, execution_id, turn, index) DO NOTHING`,
          [
            ...[project, executionId],
            ...columns(
              effects,
              (e) => e.turn,
              (e) => e.index,
              (e) => e.kind,
              (e) => e.requestHash,
              (e) => canonicalJson(e.request),
              (e) => e.ok,
              (e) => (typeof e.body === 'string' ? e.body : null),
              (e) => (typeof e.body === 'string' ? null : canonicalJson(e.body)),
              (e) => `{${e.scores.join(',')}}`,
              (e) => e.answeredBy,
              (e) => e.cost,
              (e) => e.tokens,
            ),
          ],
        );
        if (ending !== undefined) {
          await tx.execute(
            'UPDATE long_executions SET ending = $3 WHERE project = $1 AND execution_id = $2 AND ending IS NULL',
            [project, executionId, canonicalJson(ending)],
          );
        }
        const rows = await tx.query<{ state: string; ending: string | null }>(
          'SELECT state, ending FROM long_executions WHERE project = $1 AND execution_id = $2 ORDER BY 1',
          [project, executionId],
        );
        const execution = only(rows);
        return { ...execution, recorded };
      });
      failpoint('turns.recorded');
      const { recorded, state, ending: reason } = wanted;
      const known = { recorded, paused: state === 'paused' };
      return reason === null ? known : { ...known, ending: JSON.parse(reason) as Ending };
    },

    async from(project, executionId, from, limit) {
      const rows = await db.query<Row>(
        `SELECT ${COLUMNS} FROM effects e WHERE project = $1 AND execution_id = $2 AND turn >= $3
         ORDER BY turn, index LIMIT $4`,
        [project, executionId, from, limit ?? null],
      );
      return rows.map(toEffect);
    },

    async nth(project, executionId, { kind, requestHash, n, belowTurn }) {
      const rows = await db.query<Row>(
        `SELECT ${COLUMNS} FROM effects e
         WHERE project = $1 AND execution_id = $2 AND kind = $3 AND request_hash = $4 AND turn < $5
         ORDER BY turn, index OFFSET $6 LIMIT 1`,
        [project, executionId, kind, requestHash, belowTurn, n],
      );
      return rows[0] && toEffect(rows[0]);
    },

    async count(project, executionId, { kind, requestHash, belowTurn }) {
      const rows = await db.query<{ count: number }>(
        `SELECT count(*) FROM effects
         WHERE project = $1 AND execution_id = $2 AND kind = $3 AND request_hash = $4 AND turn < $5 ORDER BY 1`,
        [project, executionId, kind, requestHash, belowTurn],
      );
      return only(rows).count;
    },

    async ofTasks(project, taskIds) {
      const rows = await db.query<Row & { taskId: string }>(
        `SELECT ${COLUMNS}, l.task_id AS "taskId"
         FROM long_executions l JOIN effects e USING (project, execution_id)
         WHERE l.project = $1 AND l.task_id = ANY ($2) AND l.parent IS NULL AND e.kind <> 'memory'
         ORDER BY l.task_id, e.turn, e.index`,
        [project, taskIds],
      );
      return rows.map((row) => ({ ...toEffect(row), taskId: row.taskId }));
    },

    async totals(project, executionId) {
      const rows = await db.query<{ kind: EffectKind; count: number }>(
        'SELECT kind, count(*) FROM effects WHERE project = $1 AND execution_id = $2 GROUP BY kind ORDER BY kind',
        [project, executionId],
      );
      return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]));
    },
  };
}

export function createMemoryBlocks(db: Database): MemoryBlocksRepository {
  return {
    async get(project, executionId, sha256) {
      const rows = await db.query<{ bytes: Uint8Array }>(
        'SELECT bytes FROM memory_blocks WHERE project = $1 AND execution_id = $2 AND sha256 = $3 ORDER BY 1',
        [project, executionId, sha256],
      );
      return rows[0]?.bytes;
    },

    async put(project, executionId, { sha256, bytes, limit }) {
      const [row] = await db.query<{ kept: number }>(
        `WITH others AS (
           SELECT coalesce(sum(octet_length(bytes)), 0)::bigint AS kept FROM memory_blocks
           WHERE project = $1 AND execution_id = $2 AND sha256 <> $3
         ), block AS (
           INSERT INTO memory_blocks (project, execution_id, sha256, bytes)
           SELECT $1, $2, $3, $4::bytea FROM others WHERE kept + octet_length($4::bytea) <= $5
           ON CONFLICT DO NOTHING
         )
         SELECT kept + octet_length($4::bytea) AS kept FROM others ORDER BY 1`,
        [project, executionId, sha256, bytes, limit],
      );
      failpoint('turns.block');
      return row!.kept;
    },
  };
}
