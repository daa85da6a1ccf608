import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { AgentVersion } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import { appendAudit } from './audit.ts';
import type { Database } from './database.ts';
import { only } from './rows.ts';
import type { AgentsRepository } from './registry-types.ts';

export function createAgents(db: Database): AgentsRepository {
  const parse = (row: { project: string; document: string }): AgentVersion => ({
    ...(JSON.parse(row.document) as Omit<AgentVersion, 'project'>),
    project: row.project,
  });

  async function get(project: string, id: string): Promise<AgentVersion | undefined> {
    const rows = await db.query<{ project: string; document: string }>(
      'SELECT project, document FROM agent_versions WHERE project = $1 AND id = $2 ORDER BY id',
      [project, id],
    );
    return rows[0] && parse(rows[0]);
  }

  return {
    get,
    async putVersion(project, version, audit) {
      const stored = await db.transaction(async (tx) => {
        const { id, agent, module, manifest, genome, parents, experiment } = version;
        const document = canonicalJson({ id, agent, module, manifest, genome, parents, experiment });
        const created = await tx.execute(
          'INSERT INTO agent_versions (project, id, agent, document) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
          [project, id, agent, document],
        );
        if (created > 0 && audit !== undefined) await appendAudit(tx, project, audit);
        const rows = await tx.query<{ project: string; document: string }>(
          'SELECT project, document FROM agent_versions WHERE project = $1 AND id = $2 ORDER BY id',
          [project, id],
        );
        return parse(only(rows));
      });
      failpoint('agent.row');
      return stored;
    },

    async require(project, id) {
      const version = await get(project, id);
      if (version === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'agent version', name: id });
      return version;
    },

    list: (project) =>
      db.query(
        `SELECT agent, count(*) AS versions, (array_agg(id ORDER BY entry DESC))[1] AS latest
         FROM agent_versions WHERE project = $1 GROUP BY agent ORDER BY agent`,
        [project],
      ),

    async versionsOf(project, agent) {
      const rows = await db.query<{ project: string; document: string }>(
        'SELECT project, document FROM agent_versions WHERE project = $1 AND agent = $2 ORDER BY entry',
        [project, agent],
      );
      return rows.map(parse);
    },
  };
}
