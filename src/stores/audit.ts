import { createHash } from 'node:crypto';
import { ChimeraError } from '../contracts/errors.ts';
import type { AuditEvent, JsonObject } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import type { Database, Queryable } from './database.ts';
import { columns, only } from './rows.ts';
import type { AuditRepository, SealedAuditEvent } from './registry-types.ts';

/** The hash before the first entry. */
const GENESIS = '0'.repeat(64);
const PAGE = 1000;

/** Enters `event` in the transaction of what it records. With an `id`, entering it again does nothing. */
export async function appendAudit(tx: Queryable, project: string, event: AuditEvent, id?: string): Promise<void> {
  await tx.execute(
    `INSERT INTO audit_events (project, event_id, type, actor, subject, details) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (project, event_id) DO NOTHING`,
    [project, id ?? null, event.type, event.actor, event.subject, canonicalJson(event.details)],
  );
}

interface Entry {
  xid: string;
  entry: number;
  type: string;
  actor: string;
  subject: string;
  details: string;
  at: string;
}

interface SealedEntry extends Entry {
  seq: number;
  previousHash: string;
  hash: string;
}

const COLUMNS = 'xid::text AS xid, entry, type, actor, subject, details, at';
const SEALED_COLUMNS = `${COLUMNS}, seq, previous_hash AS "previousHash", hash`;

function chainHash(project: string, seq: number, previousHash: string, row: Entry): string {
  const { type, actor, subject, details, at } = row;
  const content = canonicalJson([project, seq, previousHash, type, actor, subject, details, at]);
  return createHash('sha256').update(content).digest('hex');
}

export function createAudit(db: Database): AuditRepository {
  /** Chains one page; the lock makes the sealer of a project single, the xmin bound makes its order final. */
  const sealPage = (project: string): Promise<number> =>
    db.transaction(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtext('chimera.audit'), hashtext($1))`, [project]);
      const [head] = await tx.query<{ seq: number; hash: string }>(
        'SELECT seq, hash FROM audit_chains WHERE project = $1 ORDER BY project',
        [project],
      );
      const rows = await tx.query<Entry>(
        `SELECT ${COLUMNS} FROM audit_events
         WHERE project = $1 AND seq IS NULL AND xid < pg_snapshot_xmin(pg_current_snapshot())
         ORDER BY audit_events.xid, entry LIMIT ${PAGE}`,
        [project],
      );
      if (rows.length === 0) return 0;
      let { seq, hash } = head ?? { seq: 0, hash: GENESIS };
      const sealed = rows.map((row) => {
        const previousHash = hash;
        seq += 1;
        hash = chainHash(project, seq, previousHash, row);
        return { ...row, seq, previousHash, hash };
      });
      await tx.execute(
        `UPDATE audit_events e SET seq = s.seq, previous_hash = s.previous_hash, hash = s.hash
         FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[])
           AS s (xid, entry, seq, previous_hash, hash)
         WHERE e.project = $1 AND e.seq IS NULL AND e.xid <= $7::xid8
           AND e.xid = s.xid::xid8 AND e.entry = s.entry`,
        [
          project,
          ...columns(
            sealed,
            (r) => r.xid,
            (r) => r.entry,
            (r) => r.seq,
            (r) => r.previousHash,
            (r) => r.hash,
          ),
          rows.at(-1)?.xid,
        ],
      );
      await tx.execute(
        `INSERT INTO audit_chains (project, seq, hash) VALUES ($1, $2, $3)
         ON CONFLICT (project) DO UPDATE SET seq = excluded.seq, hash = excluded.hash`,
        [project, seq, hash],
      );
      return rows.length;
    });

  return {
    append: (project, event, options = {}) => appendAudit(db, project, event, options.id),

    async seal(project) {
      for (let total = 0; ;) {
        const sealed = await sealPage(project);
        total += sealed;
        if (sealed < PAGE) return total;
      }
    },

    async verify(project) {
      const broken = (seq: number, why: string): ChimeraError => new ChimeraError('CHIMERA_CHAIN_BROKEN', { seq, why });
      // The head first: entries sealed meanwhile are beyond it and do not matter.
      const [head] = await db.query<{ seq: number; hash: string }>(
        'SELECT seq, hash FROM audit_chains WHERE project = $1 ORDER BY project',
        [project],
      );
      const end = head ?? { seq: 0, hash: GENESIS };
      let hash = GENESIS;
      for (let seq = 0; seq < end.seq;) {
        const rows = await db.query<SealedEntry>(
          `SELECT ${SEALED_COLUMNS} FROM audit_events WHERE project = $1 AND seq > $2 AND seq <= $3
           ORDER BY seq LIMIT ${PAGE}`,
          [project, seq, end.seq],
        );
        if (rows.length === 0) throw broken(seq + 1, 'it is missing');
        for (const row of rows) {
          seq += 1;
          if (row.seq !== seq) throw broken(seq, 'it is missing');
          if (row.previousHash !== hash) throw broken(seq, 'it does not follow the entry before it');
          hash = chainHash(project, seq, row.previousHash, row);
          if (row.hash !== hash) throw broken(seq, 'its content does not have the hash it was sealed with');
        }
      }
      if (hash !== end.hash) throw broken(end.seq, 'it is not the recorded head of the chain');
      const beyond = await db.query<{ seq: number }>(
        `SELECT seq FROM audit_events WHERE project = $1 AND seq > coalesce(
           (SELECT seq FROM audit_chains WHERE project = $1), 0) ORDER BY seq LIMIT 1`,
        [project],
      );
      if (beyond.length > 0) throw broken(only(beyond).seq, 'it lies beyond the recorded head of the chain');
      return { entries: end.seq, head: end.hash };
    },

    async list(project, { fromSeq = 1, limit = 1000, type, subject } = {}) {
      const rows = await db.query<SealedEntry>(
        `SELECT ${SEALED_COLUMNS} FROM audit_events
         WHERE project = $1 AND seq >= $2 AND ($4::text IS NULL OR type = $4) AND ($5::text IS NULL OR subject = $5)
         ORDER BY seq LIMIT $3`,
        [project, fromSeq, limit, type ?? null, subject ?? null],
      );
      return rows.map((row): SealedAuditEvent => ({
        type: row.type,
        actor: row.actor,
        subject: row.subject,
        details: JSON.parse(row.details) as JsonObject,
        seq: row.seq,
        at: row.at,
        previousHash: row.previousHash,
        hash: row.hash,
      }));
    },
  };
}
