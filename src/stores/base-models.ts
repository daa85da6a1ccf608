import { ChimeraError, invalidInput } from '../contracts/errors.ts';
import type { AuditEvent, JsonObject } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import { appendAudit } from './audit.ts';
import type { Database, Queryable } from './database.ts';
import type { BaseModelRecord, BaseModelsRepository } from './registry-types.ts';

type Row = Pick<BaseModelRecord, 'project' | 'name' | 'version' | 'state'> & { document: string };

export function createBaseModels(db: Database): BaseModelsRepository {
  /** One change of a name at a time. */
  const change = <T>(project: string, name: string, work: (tx: Queryable) => Promise<T>): Promise<T> =>
    db.transaction(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtext('chimera.base-models'), hashtext($1))`, [
        canonicalJson([project, name]),
      ]);
      return work(tx);
    });

  return {
    put: (project, model, actor) =>
      change(project, model.name, async (tx) => {
        const { name, version, licence, config, files, source, converted } = model;
        const document = canonicalJson({ licence, config, files, source, converted });
        const versions = await rowsOf(tx, project, name);
        const stored = versions.find((row) => row.version === version);
        if (stored?.document === document && stored.state !== 'retired') return toRecord(stored);
        // A retired version comes back as the newest one.
        await tx.execute(
          `DELETE FROM base_models WHERE project = $1 AND name = $2 AND version = $3 AND state = 'retired'`,
          [project, name, version],
        );
        await tx.execute(
          `INSERT INTO base_models (project, name, version, state, document) VALUES ($1, $2, $3, 'available', $4)
           ON CONFLICT (project, name, version) DO UPDATE SET document = excluded.document`,
          [project, name, version, document],
        );
        await appendAudit(tx, project, event('registered', actor, name, { version, source }));
        if (versions.length === 0) await activate(tx, project, name, version, actor);
        return required(tx, project, name, version);
      }),

    async get(project, name, version) {
      const rows = await rowsOf(db, project, name);
      const row = rows.find((found) => (version === undefined ? found.state === 'active' : found.version === version));
      return row && toRecord(row);
    },

    list: async (project, name) => (await rowsOf(db, project, name)).map(toRecord),

    activate: (project, name, version, actor) =>
      change(project, name, async (tx) => {
        const { state } = await required(tx, project, name, version);
        if (state === 'retired')
          throw invalidInput('the version', [{ path: version, message: 'is retired; pull it again' }]);
        if (state === 'available') await activate(tx, project, name, version, actor);
        return required(tx, project, name, version);
      }),

    rollback: (project, name, actor) =>
      change(project, name, async (tx) => {
        const current = (await rowsOf(tx, project, name)).find(({ state }) => state === 'active');
        const [earlier] = await tx.query<{ epoch: number; version: string }>(
          `SELECT a.epoch, a.version FROM base_model_activations a JOIN base_models USING (project, name, version)
           WHERE project = $1 AND name = $2 AND NOT a.undone AND state = 'available' ORDER BY a.epoch DESC LIMIT 1`,
          [project, name],
        );
        if (current === undefined || earlier === undefined)
          throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'earlier version of a base model', name });
        await tx.execute(
          'UPDATE base_model_activations SET undone = true WHERE project = $1 AND name = $2 AND epoch > $3',
          [project, name, earlier.epoch],
        );
        await makeActive(tx, project, name, earlier.version);
        const versions = { from: current.version, to: earlier.version };
        await appendAudit(tx, project, event('rolled-back', actor, name, versions));
        return required(tx, project, name, earlier.version);
      }),

    keep: (project, name, count, actor) =>
      change(project, name, async (tx) => {
        const rows = await rowsOf(tx, project, name);
        const retired = rows.slice(0, Math.max(0, rows.length - count)).filter(({ state }) => state === 'available');
        const versions = retired.map(({ version }) => version);
        await tx.execute(
          `UPDATE base_models SET state = 'retired' WHERE project = $1 AND name = $2 AND version = ANY ($3)`,
          [project, name, versions],
        );
        for (const version of versions) await appendAudit(tx, project, event('retired', actor, name, { version }));
        return retired.map((row) => toRecord({ ...row, state: 'retired' }));
      }),
  };
}

/** By name, oldest first. */
function rowsOf(on: Queryable, project: string, name?: string): Promise<Row[]> {
  return on.query<Row>(
    `SELECT project, name, version, state, document FROM base_models
     WHERE project = $1 AND ($2::text IS NULL OR name = $2) ORDER BY name, entry`,
    [project, name ?? null],
  );
}

const toRecord = ({ document, ...row }: Row): BaseModelRecord => ({
  ...row,
  ...(JSON.parse(document) as Omit<BaseModelRecord, keyof Row>),
});

async function required(tx: Queryable, project: string, name: string, version: string): Promise<BaseModelRecord> {
  const rows = await rowsOf(tx, project, name);
  const row = rows.find((found) => found.version === version);
  if (row !== undefined) return toRecord(row);
  const problems = rows.map((known) => ({ path: known.version, message: `is a known version, ${known.state}` }));
  throw new ChimeraError('CHIMERA_NOT_FOUND', { what: `version of base model ${name}`, name: version, problems });
}

async function activate(tx: Queryable, project: string, name: string, version: string, actor: string): Promise<void> {
  await makeActive(tx, project, name, version);
  await tx.execute(
    `INSERT INTO base_model_activations (project, name, epoch, version)
     SELECT $1, $2, coalesce(max(epoch) + 1, 0), $3 FROM base_model_activations WHERE project = $1 AND name = $2`,
    [project, name, version],
  );
  await appendAudit(tx, project, event('activated', actor, name, { version }));
}

async function makeActive(tx: Queryable, project: string, name: string, version: string): Promise<void> {
  // In two steps: no moment may see two active ones.
  await tx.execute(`UPDATE base_models SET state = 'available' WHERE project = $1 AND name = $2 AND state = 'active'`, [
    project,
    name,
  ]);
  await tx.execute(`UPDATE base_models SET state = 'active' WHERE project = $1 AND name = $2 AND version = $3`, [
    project,
    name,
    version,
  ]);
}

const event = (what: string, actor: string, name: string, details: JsonObject): AuditEvent => ({
  type: `base-model.${what}`,
  actor,
  subject: name,
  details,
});
