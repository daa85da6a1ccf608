import type { AgentRecord } from '../contracts/agents.ts';
import { ChimeraError, invalidInput } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { AgentVersion } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import { appendAudit } from './audit.ts';
import type { Database } from './database.ts';
import { json, only } from './rows.ts';
import type { AgentsRepository } from './registry-types.ts';

interface Row {
  project: string;
  document: string;
}

interface RecordRow extends Row {
  publication: string | null;
  publishedAt: string | null;
}

const RECORD = 'project, document, publication, published_at AS "publishedAt"';

const parse = (row: Row): AgentVersion => ({
  ...(JSON.parse(row.document) as Omit<AgentVersion, 'project'>),
  project: row.project,
});

const parseRecord = (row: RecordRow): AgentRecord => ({
  ...parse(row),
  ...(row.publishedAt === null ? {} : { publishedAt: row.publishedAt }),
  ...(row.publication === null ? {} : { publication: JSON.parse(row.publication) as AgentRecord['publication'] }),
});

export function createAgents(db: Database): AgentsRepository {
  async function get(project: string, id: string): Promise<AgentVersion | undefined> {
    const rows = await db.query<Row>(
      'SELECT project, document FROM agent_versions WHERE project = $1 AND id = $2 ORDER BY id',
      [project, id],
    );
    return rows[0] && parse(rows[0]);
  }

  const list: AgentsRepository['list'] = (project) =>
    db.query(
      `SELECT agent, count(*) AS versions, (array_agg(id ORDER BY entry DESC))[1] AS latest
       FROM agent_versions WHERE project = $1 GROUP BY agent ORDER BY agent`,
      [project],
    );

  return {
    get,
    list,
    async putVersion(project, version, audit, publication) {
      const stored = await db.transaction(async (tx) => {
        const { id, agent, module, manifest, genome, parents, experiment } = version;
        const document = canonicalJson({ id, agent, module, manifest, genome, parents, experiment });
        const created = await tx.execute(
          `INSERT INTO agent_versions (project, id, agent, document, publication) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT DO NOTHING`,
          [project, id, agent, document, json(publication)],
        );
        if (created > 0 && audit !== undefined) await appendAudit(tx, project, audit);
        const rows = await tx.query<Row>(
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

    async versionsOf(project, agent) {
      const rows = await db.query<Row>(
        'SELECT project, document FROM agent_versions WHERE project = $1 AND agent = $2 ORDER BY entry',
        [project, agent],
      );
      return rows.map(parse);
    },

    async records(project, agent) {
      const rows = await db.query<RecordRow>(
        `SELECT ${RECORD} FROM agent_versions WHERE project = $1 AND agent = $2 ORDER BY entry`,
        [project, agent],
      );
      return rows.map(parseRecord);
    },

    async find(project, reference) {
      // Exact IDs before names, names before beginnings; of a name the latest alone.
      const rows = await db.query<RecordRow & { rank: number }>(
        `SELECT ${RECORD}, CASE WHEN id = $2 THEN 0 WHEN agent = $2 THEN 1 ELSE 2 END AS rank
         FROM agent_versions WHERE project = $1 AND (id = $2 OR agent = $2 OR starts_with(id, $2))
         ORDER BY rank, entry DESC`,
        [project, reference],
      );
      const [first] = rows;
      if (first === undefined) {
        const known = (await list(project)).map(({ agent }) => ({ path: agent, message: 'is a known agent' }));
        throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'agent', name: reference, problems: known });
      }
      if (first.rank === 2 && rows.length > 1) {
        const message = `${rows.length} versions begin so; give more digits`;
        throw invalidInput('the agent', [{ path: reference, message }]);
      }
      return parseRecord(first);
    },
  };
}
