import type { Deployment } from '../contracts/records.ts';
import type { Queryable } from './database.ts';
import { only, present } from './rows.ts';

/**
 * Locks the stream of a task type until the transaction ends and returns its next ordinal. Admissions, deployment
 * changes and data set numbers all take this lock, so each sees the others as before or after, never in between.
 */
export async function lockStream(tx: Queryable, project: string, taskType: string): Promise<number> {
  await tx.execute('INSERT INTO streams (project, task_type) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    project,
    taskType,
  ]);
  const rows = await tx.query<{ next: number }>(
    `SELECT next_ordinal AS next FROM streams WHERE project = $1 AND task_type = $2
     ORDER BY project, task_type FOR UPDATE`,
    [project, taskType],
  );
  return only(rows).next;
}

export const DEPLOYMENT_COLUMNS = `project, task_type AS "taskType", epoch, from_ordinal AS "fromOrdinal", champion,
  challenger, stage, share, reason`;

export type DeploymentRow = { [K in keyof Deployment]-?: Deployment[K] | null };

export const toDeployment = (row: DeploymentRow): Deployment => present<Deployment>(row);

/** The newest deployment as this transaction sees it; take the stream lock first to keep it so. */
export async function currentDeployment(
  db: Queryable,
  project: string,
  taskType: string,
): Promise<Deployment | undefined> {
  const rows = await db.query<DeploymentRow>(
    `SELECT ${DEPLOYMENT_COLUMNS} FROM deployments WHERE project = $1 AND task_type = $2 ORDER BY epoch DESC LIMIT 1`,
    [project, taskType],
  );
  return rows[0] && toDeployment(rows[0]);
}
