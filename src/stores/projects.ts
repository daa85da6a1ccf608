import { createHash, randomBytes } from 'node:crypto';
import { ChimeraError } from '../contracts/errors.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import type { Database } from './database.ts';
import { present } from './rows.ts';
import type {
  ApiKeyInfo,
  ApiKeysRepository,
  ProjectsRepository,
  TaskTypeDocument,
  TaskTypesRepository,
} from './stream-types.ts';

export function createProjects(db: Database): ProjectsRepository {
  return {
    async ensure(project) {
      await db.execute('INSERT INTO projects (project) VALUES ($1) ON CONFLICT DO NOTHING', [project]);
    },
    async list() {
      const rows = await db.query<{ project: string }>('SELECT project FROM projects ORDER BY project');
      return rows.map((row) => row.project);
    },
  };
}

/**
 * A key is `chimera.<project>.<secret>` with a secret of 256 random bits, so that one pass of SHA-256 is enough to
 * store it, and a look-up needs no table that spans projects.
 */
export function createApiKeys(db: Database): ApiKeysRepository {
  const hash = (key: string): string => createHash('sha256').update(key).digest('hex');
  return {
    async create(project, name) {
      const key = `chimera.${project}.${randomBytes(32).toString('base64url')}`;
      const created = await db.execute(
        'INSERT INTO api_keys (project, name, key_hash) VALUES ($1, $2, $3) ON CONFLICT (project, name) DO NOTHING',
        [project, name, hash(key)],
      );
      if (created === 0) throw new ChimeraError('CHIMERA_CONFLICT', { what: `an API key named ${name}` });
      return { key };
    },
    async verify(key) {
      const project = /^chimera\.([a-z0-9-]+)\.[\w-]+$/.exec(key)?.[1];
      if (project === undefined) return undefined;
      const rows = await db.query<{ project: string; name: string }>(
        `SELECT project, name FROM api_keys WHERE project = $1 AND key_hash = $2 AND revoked_at IS NULL
         ORDER BY name LIMIT 1`,
        [project, hash(key)],
      );
      return rows[0];
    },
    async list(project) {
      const rows = await db.query<{ [K in keyof ApiKeyInfo]: ApiKeyInfo[K] | null }>(
        `SELECT name, created_at AS "createdAt", revoked_at AS "revokedAt" FROM api_keys WHERE project = $1 ORDER BY name`,
        [project],
      );
      return rows.map((row) => present<ApiKeyInfo>(row));
    },
    async revoke(project, name) {
      const sql = 'UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE project = $1 AND name = $2';
      return (await db.execute(sql, [project, name])) > 0;
    },
  };
}

export function createTaskTypes(db: Database): TaskTypesRepository {
  async function get<T extends TaskTypeDocument>(
    project: string,
    name: string,
    version?: number,
  ): Promise<T | undefined> {
    const rows = await db.query<{ document: string }>(
      `SELECT document FROM task_types WHERE project = $1 AND name = $2 AND ($3::int IS NULL OR version = $3)
       ORDER BY version DESC LIMIT 1`,
      [project, name, version ?? null],
    );
    return rows[0] && (JSON.parse(rows[0].document) as T);
  }

  async function list<T extends TaskTypeDocument>(project: string): Promise<T[]> {
    const rows = await db.query<{ document: string }>(
      'SELECT DISTINCT ON (name) document FROM task_types WHERE project = $1 ORDER BY name, version DESC',
      [project],
    );
    return rows.map((row) => JSON.parse(row.document) as T);
  }

  return {
    get,
    list,
    async put(project, document) {
      const { name, version } = document;
      const text = canonicalJson(document);
      return db.transaction(async (tx) => {
        const created = await tx.execute(
          'INSERT INTO task_types (project, name, version, document) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
          [project, name, version, text],
        );
        if (created > 0) return { created: true };
        const same = await tx.query(
          'SELECT 1 FROM task_types WHERE project = $1 AND name = $2 AND version = $3 AND document = $4 ORDER BY 1',
          [project, name, version, text],
        );
        if (same.length === 0) {
          throw new ChimeraError('CHIMERA_CONFLICT', { what: `version ${version} of task type ${name}` });
        }
        return { created: false };
      });
    },
    async require<T extends TaskTypeDocument>(project: string, name: string, version?: number) {
      const found = await get<T>(project, name, version);
      if (found !== undefined) return found;
      throw await unknownTaskType(db, project, version === undefined ? name : `${name} in version ${version}`);
    },
  };
}

/** `CHIMERA_UNKNOWN_TASK_TYPE` that names the known ones. */
export async function unknownTaskType(
  db: Pick<Database, 'query'>,
  project: string,
  name: string,
): Promise<ChimeraError> {
  const known = await db.query<{ name: string }>(
    'SELECT DISTINCT name FROM task_types WHERE project = $1 ORDER BY name',
    [project],
  );
  const names = known.map((row) => row.name).join(', ') || 'none yet';
  return new ChimeraError('CHIMERA_UNKNOWN_TASK_TYPE', {
    name,
    problems: [{ path: '/taskType', message: `known task types: ${names}` }],
  });
}
