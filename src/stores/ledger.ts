import type { LedgerEntry } from '../contracts/records.ts';
import type { Database } from './database.ts';
import type { LedgerRepository } from './registry-types.ts';

export function createLedger(db: Database): LedgerRepository {
  return {
    async put(project, { leaseId, deviceClass, holder, purpose, seconds, cost }) {
      await db.execute(
        `INSERT INTO ledger (project, lease_id, device_class, holder, purpose, seconds, cost)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
        [project, leaseId, deviceClass, holder, purpose, seconds, cost],
      );
    },
    list: (project, limit = 1000) =>
      db.query<LedgerEntry & { at: string }>(
        `SELECT lease_id AS "leaseId", device_class AS "deviceClass", holder, purpose, seconds, cost, at
         FROM ledger WHERE project = $1 ORDER BY entry LIMIT $2`,
        [project, limit],
      ),
    sum: (project) =>
      db.query(
        `SELECT device_class AS "deviceClass", sum(seconds) AS seconds, sum(cost) AS cost, count(*) AS leases
         FROM ledger WHERE project = $1 GROUP BY device_class ORDER BY device_class`,
        [project],
      ),
  };
}
