import { strict as assert } from 'node:assert';
import pg from 'pg';
import { createStores } from '../../src/stores/index.ts';
import { openFixture, type Fixture } from './fixture.ts';

/** The bookkeeping of migrations belongs to the database, not to a project. */
const WITHOUT_PROJECT = ['schema_migrations'];

interface Key {
  table: string;
  index: string;
  columns: string[];
}

async function rows<Row>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as Row[];
  } finally {
    await client.end();
  }
}

const tables = (url: string): Promise<{ name: string }[]> =>
  rows(
    url,
    `SELECT relname::text AS name FROM pg_class WHERE relkind IN ('r', 'p')
             AND relnamespace = 'public'::regnamespace ORDER BY relname`,
  );

const keys = (url: string): Promise<Key[]> =>
  rows(
    url,
    `SELECT i.indrelid::regclass::text AS table, i.indexrelid::regclass::text AS index,
       array_agg(a.attname::text ORDER BY k.place) AS columns
     FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
     JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace
     WHERE i.indisunique GROUP BY 1, 2 ORDER BY 1, 2`,
  );

const withoutProject = (found: Key[]): Key[] =>
  found.filter((key) => !WITHOUT_PROJECT.includes(key.table) && key.columns[0] !== 'project');

describe('stores: schema', () => {
  let fixture: Fixture;
  before(async () => (fixture = await openFixture()));
  after(() => fixture.close());

  it('has a primary key in every table, and every unique key begins with the project', async () => {
    const found = await keys(fixture.url);
    const all = (await tables(fixture.url))
      .map((table) => table.name)
      .filter((name) => !WITHOUT_PROJECT.includes(name));
    assert.ok(all.length > 20);
    assert.deepEqual(
      all.filter((name) => !found.some((key) => key.table === name)),
      [],
    );
    assert.deepEqual(withoutProject(found), []);
  });

  it('would notice a key without the project', async () => {
    await rows(fixture.url, 'CREATE TABLE careless (id text PRIMARY KEY, project text)');
    assert.deepEqual(
      withoutProject(await keys(fixture.url)).map((key) => key.table),
      ['careless'],
    );
    await rows(fixture.url, 'DROP TABLE careless');
  });

  it('goes up, down and up again, and many at once apply it once', async () => {
    const { stores, url } = fixture;
    const before = await keys(url);
    assert.deepEqual(await stores.migrate(), []);
    const down = await stores.migrateDown(0);
    assert.deepEqual(
      (await tables(url)).map((table) => table.name),
      WITHOUT_PROJECT,
    );
    const applied = await Promise.all([stores.migrate(), stores.migrate(), stores.migrate()]);
    assert.deepEqual(applied.flat(), [...down].reverse());
    assert.deepEqual(await keys(url), before);
  });

  it('refuses a database that a newer program has migrated', async () => {
    await rows(fixture.url, `INSERT INTO schema_migrations (version, name) VALUES (9999, 'later')`);
    await assert.rejects(fixture.stores.migrate(), { code: 'CHIMERA_SETUP' });
    await rows(fixture.url, 'DELETE FROM schema_migrations WHERE version = 9999');
  });

  it('reports a server that is not there as unavailable, to be tried again', async () => {
    const stores = createStores({
      databaseUrl: 'postgres://x:y@127.0.0.1:1/none',
      artifacts: fixture.stores.artifacts,
    });
    await assert.rejects(stores.ping(), { code: 'CHIMERA_STORE_UNAVAILABLE', retryable: true });
    await assert.rejects(stores.migrate(), { code: 'CHIMERA_STORE_UNAVAILABLE' });
    await assert.rejects(stores.audit.seal('default'), { code: 'CHIMERA_STORE_UNAVAILABLE' });
  });

  it('survives that the server ends its connections, and says so to who was in the middle', async () => {
    const { stores, url } = fixture;
    await stores.ping();
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()`;
    await rows(url, end);
    for (let failures = 0; ; failures++) {
      const answer = await stores.ping().catch((error: unknown) => error as { code: string });
      if (answer === undefined) break;
      assert.equal(answer.code, 'CHIMERA_STORE_UNAVAILABLE');
      assert.ok(failures < 10);
    }
  });
});
