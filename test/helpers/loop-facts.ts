import pg from 'pg';
import type { Client } from '@temporalio/client';
import type { ExperimentDocument } from '../../src/activities/search-material.ts';
import { QUERIES } from '../../src/contracts/messages.ts';
import { DEFAULT_PROJECT as PROJECT, workflowId, WORKFLOWS } from '../../src/contracts/names.ts';
import { hashOf } from '../../src/core/canonical/canonical.ts';
import type { Stores } from '../../src/stores/index.ts';
import type { LeasesView } from '../../src/workflows/lease-broker.ts';

/** What a run of the loop came to: equal for every undisturbed and every disturbed run of the same stream. */
export interface Facts {
  readonly champion: string;
  readonly datasets: string[];
  readonly models: string[];
  readonly archive: string[];
  readonly lineage: string[];
  readonly decisions: string[];
  readonly outcomes: string[];
  /** Hashes over all rows of a table, in their order, less times and arrival. */
  readonly rows: Record<string, string>;
  /** Audit events by type: each decision is recorded once. */
  readonly audited: Record<string, number>;
}

/** Statements whose rows are hashed; each gives every column that is not a time, an attempt or a place in a file. */
const ROWS: Record<string, string> = {
  tasks: 'SELECT ordinal, task_id, body_hash, epoch, served, shadow, state FROM tasks ORDER BY ordinal',
  executions:
    'SELECT ordinal, role, task_id, agent_version, status, output, fuel, model_calls, record_hash, features FROM executions ORDER BY ordinal, role, agent_version',
  scores: 'SELECT ordinal, agent_version, role, score, correct, predicted, expected FROM scores ORDER BY 1, 2, 3',
  deployments:
    'SELECT epoch, from_ordinal, champion, challenger, stage, share, decision_id FROM deployments ORDER BY epoch',
  candidates:
    'SELECT experiment, id, generation, index, parents, operator, document FROM candidates ORDER BY experiment, generation, index',
  evaluations: 'SELECT data_hash, subject, document FROM evaluations ORDER BY data_hash, subject',
  windows: 'SELECT agent_version, from_ordinal, document FROM kpi_windows ORDER BY from_ordinal, agent_version',
  monitors: 'SELECT task_type, consumed_to FROM monitors ORDER BY task_type',
  drift: 'SELECT ordinal, details FROM drift_events ORDER BY ordinal',
  versions: 'SELECT id, document FROM agent_versions ORDER BY id',
  rollouts: "SELECT id, champion, challenger, state, document::jsonb -> 'process' AS process FROM rollouts ORDER BY id",
};

export async function collectFacts(stores: Stores, databaseUrl: string, taskType: string): Promise<Facts> {
  const experiments = (await stores.experiments.list(PROJECT, taskType)).map(
    ({ document }) => (document as unknown as ExperimentDocument).result,
  );
  const events = await stores.audit.list(PROJECT, { limit: 100_000 });
  const rows = await withDatabase(databaseUrl, async (client) => {
    const hashes: Record<string, string> = {};
    for (const [name, sql] of Object.entries(ROWS)) hashes[name] = hashOf((await client.query(sql)).rows);
    return hashes;
  });
  return {
    champion: (await stores.deployments.current(PROJECT, taskType))?.champion ?? 'none',
    datasets: (await stores.datasets.list(PROJECT, taskType)).map(({ id }) => id),
    models: (await stores.models.list(PROJECT, { taskType })).map(({ id }) => id).sort(),
    archive: experiments.map((result) => result?.archiveHash ?? 'none'),
    lineage: experiments.map((result) => result?.lineageHash ?? 'none'),
    decisions: events
      .filter(({ type }) => type === 'rollout.decided')
      .map(({ details }) => String(details['decisionHash'])),
    outcomes: (await stores.cycles.list(PROJECT, { taskType })).map(
      ({ id, status, document }) => `${id} ${status} ${String(document['outcome'])}`,
    ),
    rows,
    audited: Object.fromEntries(
      [...Map.groupBy(events, ({ type }) => type)].map(([type, all]) => [type, all.length]).sort(),
    ) as Record<string, number>,
  };
}

/** Statements that give a row for each thing that is wrong. */
const WRONGS: Record<string, string> = {
  'run twice': 'SELECT ordinal, role FROM executions GROUP BY ordinal, role HAVING count(*) <> 1',
  'not run as routed': `SELECT t.ordinal FROM tasks t WHERE
    (SELECT count(*) FROM executions e WHERE e.ordinal = t.ordinal AND e.role = 'served' AND e.agent_version = t.served) <> 1
    OR (SELECT count(*) FROM executions e WHERE e.ordinal = t.ordinal AND e.role = 'shadow' AND e.agent_version = t.shadow)
      <> (t.shadow IS NOT NULL)::int`,
  'not scored once': `SELECT e.ordinal, e.role FROM executions e WHERE (SELECT count(*) FROM scores s
    WHERE s.ordinal = e.ordinal AND s.agent_version = e.agent_version) <> 1`,
  'scored without a run': `SELECT s.ordinal FROM scores s WHERE NOT EXISTS (SELECT FROM executions e
    WHERE e.ordinal = s.ordinal AND e.agent_version = s.agent_version)`,
  unresolved: 'SELECT ordinal FROM tasks WHERE NOT resolved',
  'without their feedback': `SELECT t.ordinal FROM tasks t WHERE
    (SELECT count(*) FROM feedback f WHERE f.ordinal = t.ordinal) <> 1`,
  'dead letters': 'SELECT task_id FROM dead_letters',
  'batches that are not completed': `SELECT batch_id FROM batches WHERE state <> 'completed'`,
  'cycles that are not completed': `SELECT id FROM cycles WHERE status <> 'completed'`,
  'experiments that are not completed': `SELECT id FROM experiments WHERE status <> 'completed'`,
  'rollouts that are not decided': 'SELECT id FROM rollouts WHERE decided_at IS NULL',
  'leases booked twice': 'SELECT holder FROM ledger GROUP BY holder HAVING count(*) <> 1',
  'advisory locks left': `SELECT pid FROM pg_locks WHERE locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  'open transactions': `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
    AND state LIKE 'idle in transaction%'`,
};

/** What runs for as long as the platform does. */
const ENTITIES: readonly string[] = [WORKFLOWS.leaseBroker, WORKFLOWS.streamMonitor];

/** How many workflows are under way that will end. A batch is closed a moment after its last task is scored. */
export async function unfinished(temporal: Client): Promise<number> {
  let count = 0;
  for await (const run of temporal.workflow.list({ query: `ExecutionStatus = 'Running'` }))
    if (!ENTITIES.includes(run.type)) count += 1;
  return count;
}

/** Everything that was lost, done twice or left behind; empty where all is well. */
export async function findWrongs(
  stores: Stores,
  databaseUrl: string,
  temporal: Client,
  expectedTasks: number,
): Promise<string[]> {
  const wrongs: string[] = [];
  await withDatabase(databaseUrl, async (client) => {
    for (const [name, sql] of Object.entries(WRONGS)) {
      const { rows } = await client.query<object>(sql);
      if (rows.length > 0) wrongs.push(`${rows.length} ${name}: ${JSON.stringify(rows.slice(0, 3))}`);
    }
    const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM tasks');
    if (Number(rows[0]!.count) !== expectedTasks) wrongs.push(`${rows[0]!.count} tasks of ${expectedTasks}`);
  });
  await stores.audit.verify(PROJECT).catch((error: Error) => wrongs.push(error.message));
  const leases = await temporal.workflow.getHandle(workflowId.leaseBroker()).query<LeasesView>(QUERIES.leases);
  if (leases.held.length + leases.queued.length > 0) wrongs.push(`leases left: ${JSON.stringify(leases)}`);
  for await (const run of temporal.workflow.list()) {
    const status = run.status.name;
    const well = ENTITIES.includes(run.type) ? ['RUNNING', 'CONTINUED_AS_NEW'] : ['COMPLETED', 'CONTINUED_AS_NEW'];
    if (!well.includes(status)) wrongs.push(`${run.type} ${run.workflowId} is ${status}`);
  }
  return wrongs;
}

/** How many generations the search had, and the most shards of one that were in flight at a time. */
export async function searchShape(
  stores: Stores,
  temporal: Client,
  taskType: string,
): Promise<{ generations: number; shardsInFlight: number }> {
  const [experiment] = await stores.experiments.list(PROJECT, taskType);
  const candidates = await stores.candidates.list(PROJECT, experiment!.id);
  const [cycle] = await stores.cycles.list(PROJECT, { taskType });
  const id = workflowId.child('evolution', PROJECT, taskType, cycle!.id);
  const { events } = await temporal.workflow.getHandle(id).fetchHistory();
  const open = new Set<string>();
  let shardsInFlight = 0;
  for (const event of events ?? []) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled?.activityType?.name === 'evaluateShard') open.add(String(event.eventId));
    const completed = event.activityTaskCompletedEventAttributes?.scheduledEventId;
    if (completed) open.delete(String(completed));
    shardsInFlight = Math.max(shardsInFlight, open.size);
  }
  return { generations: new Set(candidates.map(({ generation }) => generation)).size, shardsInFlight };
}

export async function withDatabase<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
