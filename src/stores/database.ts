import pg from 'pg';
import { storeError } from './errors.ts';

/** Where a statement runs: on any connection, or inside a transaction. */
export interface Queryable {
  /** Rows of one statement. Errors are `ChimeraError`s already. */
  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** How many rows one statement changed. */
  execute(sql: string, values?: readonly unknown[]): Promise<number>;
}

export interface Database extends Queryable {
  readonly url: string;
  /** READ COMMITTED; rolled back where `work` throws, and tried again after a deadlock. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const FLOAT8_ARRAY = 1022;

/** `{1,2.5,3}`. A stream has thousands of rows of features, and pg's own parser reads arrays character by character. */
const readDoubles = (text: string): number[] => (text === '{}' ? [] : text.slice(1, -1).split(',').map(Number));

/**
 * Whole numbers as numbers (they stay below 2^53), times as ISO 8601, flat arrays of doubles without NULL as numbers,
 * everything else as pg does it.
 */
const TYPES = {
  getTypeParser(oid: number, format?: 'text' | 'binary'): (value: never) => unknown {
    if (format !== 'binary') {
      if (oid === pg.types.builtins.INT8) return Number;
      if (oid === FLOAT8_ARRAY) return readDoubles;
      if (oid === pg.types.builtins.TIMESTAMPTZ) return (value: string) => new Date(value).toISOString();
    }
    return pg.types.getTypeParser(oid, format);
  },
} as pg.CustomTypesConfig;

const ATTEMPTS = 3;

/** A pool of connections. Opens none before the first statement. */
export function openDatabase(url: string, max = 10): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    types: TYPES,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    application_name: 'chimera',
  });
  // An idle connection that the server ends would otherwise end the process; the next query takes a new one.
  pool.on('error', () => undefined);

  const on = (client: { query: pg.Pool['query'] }): Queryable => ({
    async query<Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
      return (await run(client, sql, values)).rows as Row[];
    },
    async execute(sql, values = []) {
      return (await run(client, sql, values)).rowCount ?? 0;
    },
  });

  async function transactionOnce<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    const client = await pool.connect().catch((error: unknown) => {
      throw storeError(error);
    });
    // A connection that broke in here reports to its client; unheard, that would end the process.
    const ignore = (): void => undefined;
    client.on('error', ignore);
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await work(on(client as unknown as { query: pg.Pool['query'] }));
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((fault: Error) => (broken = fault));
      throw storeError(error);
    } finally {
      client.removeListener('error', ignore);
      client.release(broken);
    }
  }

  return {
    ...on(pool),
    url,
    async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
      for (let attempt = 1; ; attempt++) {
        try {
          return await transactionOnce(work);
        } catch (error) {
          if (attempt === ATTEMPTS || sqlState(error) !== '40P01') throw error;
        }
      }
    },
    close: () => pool.end(),
  };
}

async function run(
  client: { query: pg.Pool['query'] },
  sql: string,
  values: readonly unknown[],
): Promise<pg.QueryResult<object>> {
  try {
    return await client.query<object>(sql, [...values]);
  } catch (error) {
    throw storeError(error);
  }
}

function sqlState(error: unknown): string | undefined {
  return ((error as Error).cause as { code?: string } | undefined)?.code;
}
