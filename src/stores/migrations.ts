import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import { ChimeraError } from '../contracts/errors.ts';
import { storeError } from './errors.ts';

const FOLDER = new URL('../../infra/migrations/', import.meta.url);
/** Any constant of our own: one process migrates at a time. */
const LOCK = 0x4348_494d;

interface Migration {
  version: number;
  name: string;
}

async function known(): Promise<Migration[]> {
  const files = await readdir(FOLDER);
  return files
    .filter((file) => file.endsWith('.up.sql'))
    .sort()
    .map((file) => ({ version: Number(file.slice(0, 4)), name: file.replace(/\.up\.sql$/, '') }));
}

/** Applies what is missing, in order, all in one transaction. Returns the names of what it applied. */
export function migrateUp(url: string): Promise<string[]> {
  return migrating(url, async (client, applied) => {
    const migrations = await known();
    const newest = migrations.at(-1)?.version ?? 0;
    const unknown = applied.filter((version) => version > newest);
    if (unknown.length > 0) {
      const why = `it has migration ${unknown.join(', ')}, this program knows ${newest} at most`;
      throw new ChimeraError('CHIMERA_SETUP', { what: 'the database', why });
    }
    const done: string[] = [];
    for (const { version, name } of migrations) {
      if (applied.includes(version)) continue;
      await client.query(await readFile(new URL(`${name}.up.sql`, FOLDER), 'utf8'));
      await client.query('INSERT INTO schema_migrations (version, name) VALUES ($1, $2)', [version, name]);
      done.push(name);
    }
    return done;
  });
}

/** Takes back every migration above `version`, newest first. */
export function migrateDown(url: string, version: number): Promise<string[]> {
  return migrating(url, async (client, applied) => {
    const done: string[] = [];
    for (const migration of (await known()).reverse()) {
      if (migration.version <= version || !applied.includes(migration.version)) continue;
      await client.query(await readFile(new URL(`${migration.name}.down.sql`, FOLDER), 'utf8'));
      await client.query('DELETE FROM schema_migrations WHERE version = $1', [migration.version]);
      done.push(migration.name);
    }
    return done;
  });
}

async function migrating<T>(url: string, work: (client: pg.Client, applied: number[]) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'chimera-migrate' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    await client.query(
      `CREATE TABLE IF NOT EXISTS schema_migrations
         (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const { rows } = await client.query<{ version: number }>('SELECT version FROM schema_migrations ORDER BY version');
    const result = await work(
      client,
      rows.map((row) => row.version),
    );
    await client.query('COMMIT');
    return result;
  } catch (error) {
    throw storeError(error);
  } finally {
    // Ends the session, and with it a transaction that failed.
    await client.end().catch(() => undefined);
  }
}
