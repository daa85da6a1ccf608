import type { ArtifactStore, StoredArtifact } from './artifacts/artifact-store.ts';
import type { Database } from './database.ts';

export interface GarbageOptions {
  /** The moment from which the grace time counts back. */
  now: Date;
  /** Younger artifacts stay: their row may be about to be written. Longer than any workflow that holds one. */
  graceMs: number;
  /** Only list. */
  dryRun: boolean;
}

export interface GarbageReport {
  stored: number;
  reachable: number;
  /** Unreachable, but within the grace time. */
  spared: number;
  /** What was, or in a dry run would be, removed; by key. */
  removed: StoredArtifact[];
  bytes: number;
}

const KEY = 'sha256/[0-9a-f]{2}/([0-9a-f]{64})';

/**
 * Mark and sweep. Roots are all artifact keys that any text column of any table holds, found through the catalogue, so
 * that a new table cannot be forgotten; marks then spread through the content of artifacts that name others.
 */
export async function collectGarbage(
  db: Database,
  artifacts: ArtifactStore,
  { now, graceMs, dryRun }: GarbageOptions,
): Promise<GarbageReport> {
  // Listed before the roots are read: whatever is put later is not in the list.
  const stored: StoredArtifact[] = [];
  for await (const artifact of artifacts.list()) stored.push(artifact);
  const reachable = await mark(artifacts, new Set(stored.map((artifact) => artifact.sha256)), await roots(db));
  const garbage = stored.filter((artifact) => !reachable.has(artifact.sha256));
  const unmodifiedSince = new Date(now.getTime() - graceMs);
  const removed: StoredArtifact[] = [];
  for (const artifact of garbage) {
    if (artifact.modifiedAt > unmodifiedSince) continue;
    if (dryRun || (await artifacts.delete(artifact, { unmodifiedSince }))) removed.push(artifact);
  }
  return {
    stored: stored.length,
    reachable: reachable.size,
    spared: garbage.length - removed.length,
    removed,
    bytes: removed.reduce((sum, artifact) => sum + artifact.bytes, 0),
  };
}

async function roots(db: Database): Promise<string[]> {
  const texts = await db.query<{ table: string; column: string }>(
    `SELECT quote_ident(table_name) AS table, quote_ident(column_name) AS column FROM information_schema.columns
     WHERE table_schema = current_schema() AND data_type = 'text' ORDER BY table_name, ordinal_position`,
  );
  const found = new Set<string>();
  for (const { table, column } of texts) {
    const rows = await db.query<{ sha256: string }>(
      `SELECT DISTINCT m[1] AS sha256 FROM ${table}, regexp_matches(${column}, '${KEY}', 'g') AS m
       WHERE ${column} LIKE '%sha256/%' ORDER BY 1`,
    );
    for (const row of rows) found.add(row.sha256);
  }
  return [...found];
}

async function mark(artifacts: ArtifactStore, stored: ReadonlySet<string>, from: string[]): Promise<Set<string>> {
  const reachable = new Set<string>();
  const queue = from.filter((sha256) => stored.has(sha256));
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (reachable.has(next)) continue;
    reachable.add(next);
    const text = Buffer.from(await artifacts.get({ sha256: next })).toString('latin1');
    for (const [, named] of text.matchAll(new RegExp(KEY, 'g'))) {
      if (named !== undefined && stored.has(named)) queue.push(named);
    }
  }
  return reachable;
}
