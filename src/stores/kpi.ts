import type { JsonObject, JsonValue } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import type { Database, Queryable } from './database.ts';
import { columns } from './rows.ts';
import type { DriftEvent, KpiRepository, KpiWindow } from './stream-types.ts';

type NewDriftEvent = Omit<DriftEvent, 'at'>;

export function createKpi(db: Database): KpiRepository {
  async function add(
    on: Queryable,
    project: string,
    taskType: string,
    events: readonly NewDriftEvent[],
  ): Promise<void> {
    if (events.length === 0) return;
    await on.execute(
      `INSERT INTO drift_events (project, task_type, ordinal, detector, details)
       SELECT $1, $2, n.* FROM unnest($3::bigint[], $4::text[], $5::text[]) AS n ON CONFLICT DO NOTHING`,
      [
        project,
        taskType,
        ...columns(
          events,
          (e) => e.ordinal,
          (e) => e.detector,
          (e) => canonicalJson(e.details),
        ),
      ],
    );
  }

  return {
    async putWindows(project, taskType, windows) {
      await db.execute(
        `INSERT INTO kpi_windows (project, task_type, agent_version, from_ordinal, to_ordinal, document)
         SELECT DISTINCT ON (n.agent_version, n.from_ordinal) $1, $2, n.agent_version, n.from_ordinal, n.to_ordinal,
           n.document
         FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::text[])
           WITH ORDINALITY AS n (agent_version, from_ordinal, to_ordinal, document, place)
         ORDER BY n.agent_version, n.from_ordinal, n.place DESC
         ON CONFLICT (project, task_type, agent_version, from_ordinal)
         DO UPDATE SET to_ordinal = excluded.to_ordinal, document = excluded.document`,
        [
          ...[project, taskType],
          ...columns(
            windows,
            (w) => w.agentVersion,
            (w) => w.fromOrdinal,
            (w) => w.toOrdinal,
            (w) => canonicalJson(w.values),
          ),
        ],
      );
    },

    async windows(project, taskType, { agentVersion } = {}) {
      const rows = await db.query<Omit<KpiWindow, 'values'> & { document: string }>(
        `SELECT agent_version AS "agentVersion", from_ordinal AS "fromOrdinal", to_ordinal AS "toOrdinal", document
         FROM kpi_windows WHERE project = $1 AND task_type = $2 AND ($3::text IS NULL OR agent_version = $3)
         ORDER BY from_ordinal, agent_version`,
        [project, taskType, agentVersion ?? null],
      );
      return rows.map(({ document, ...row }) => ({ ...row, values: JSON.parse(document) as JsonObject }));
    },

    async monitor(project, taskType) {
      const rows = await db.query<{ consumedTo: number; state: string }>(
        `SELECT consumed_to AS "consumedTo", state FROM monitors WHERE project = $1 AND task_type = $2 ORDER BY 1`,
        [project, taskType],
      );
      return rows[0] && { consumedTo: rows[0].consumedTo, state: JSON.parse(rows[0].state) as JsonValue };
    },

    compareAndSetMonitor(project, taskType, expected, next, events = []) {
      const state = canonicalJson(next.state);
      return db.transaction(async (tx) => {
        const moved =
          expected === undefined
            ? await tx.execute(
                `INSERT INTO monitors (project, task_type, consumed_to, state) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING`,
                [project, taskType, next.consumedTo, state],
              )
            : await tx.execute(
                `UPDATE monitors SET consumed_to = $3, state = $4
                 WHERE project = $1 AND task_type = $2 AND consumed_to = $5`,
                [project, taskType, next.consumedTo, state, expected],
              );
        if (moved === 0) {
          const same = await tx.query(
            `SELECT 1 FROM monitors WHERE project = $1 AND task_type = $2 AND consumed_to = $3 AND state = $4 ORDER BY 1`,
            [project, taskType, next.consumedTo, state],
          );
          return same.length > 0;
        }
        await add(tx, project, taskType, events);
        return true;
      });
    },

    addDriftEvents: (project, taskType, events) => add(db, project, taskType, events),

    async driftEvents(project, taskType) {
      const rows = await db.query<NewDriftEvent & { details: never; text: string; at: string }>(
        `SELECT ordinal, detector, details AS text, at FROM drift_events WHERE project = $1 AND task_type = $2
         ORDER BY ordinal, detector`,
        [project, taskType],
      );
      return rows.map(({ text, ...row }) => ({ ...row, details: JSON.parse(text) as JsonObject }));
    },
  };
}
