import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { Deployment } from '../contracts/records.ts';
import { appendAudit } from './audit.ts';
import type { Database, Queryable } from './database.ts';
import { only } from './rows.ts';
import { currentDeployment, DEPLOYMENT_COLUMNS, lockStream, toDeployment, type DeploymentRow } from './streams.ts';
import type { DeploymentsRepository } from './stream-types.ts';

export function createDeployments(db: Database): DeploymentsRepository {
  return {
    current: (project, taskType) => currentDeployment(db, project, taskType),

    async at(project, taskType, ordinal) {
      const rows = await db.query<DeploymentRow>(
        `SELECT ${DEPLOYMENT_COLUMNS} FROM deployments
         WHERE project = $1 AND task_type = $2 AND from_ordinal <= $3 ORDER BY epoch DESC LIMIT 1`,
        [project, taskType, ordinal],
      );
      return rows[0] && toDeployment(rows[0]);
    },

    async history(project, taskType) {
      const rows = await db.query<DeploymentRow>(
        `SELECT ${DEPLOYMENT_COLUMNS} FROM deployments WHERE project = $1 AND task_type = $2 ORDER BY epoch`,
        [project, taskType],
      );
      return rows.map(toDeployment);
    },

    initial(project, taskType, champion, audit) {
      return db.transaction(async (tx) => {
        const fromOrdinal = await lockStream(tx, project, taskType);
        const first = await tx.query<DeploymentRow>(
          `SELECT ${DEPLOYMENT_COLUMNS} FROM deployments WHERE project = $1 AND task_type = $2 AND epoch = 0
           ORDER BY epoch`,
          [project, taskType],
        );
        if (first[0]?.champion === champion) return toDeployment(first[0]);
        if (first.length > 0) throw new ChimeraError('CHIMERA_EPOCH_CONFLICT', { taskType, epoch: -1 });
        const deployment: Deployment = {
          project,
          taskType,
          epoch: 0,
          fromOrdinal,
          champion,
          stage: 'full',
          share: 0,
          reason: 'the first agent of this task type',
        };
        await insert(tx, deployment, 'initial');
        await appendAudit(tx, project, audit);
        return deployment;
      });
    },

    async advance(project, taskType, expectedEpoch, next, { decisionId, audit }) {
      const deployment = await db.transaction(async (tx) => {
        const fromOrdinal = await lockStream(tx, project, taskType);
        const made = await tx.query<DeploymentRow>(
          `SELECT ${DEPLOYMENT_COLUMNS} FROM deployments
           WHERE project = $1 AND task_type = $2 AND decision_id = $3 ORDER BY epoch`,
          [project, taskType, decisionId],
        );
        if (made.length > 0) return toDeployment(only(made));
        const current = await currentDeployment(tx, project, taskType);
        if (current?.epoch !== expectedEpoch) {
          throw new ChimeraError('CHIMERA_EPOCH_CONFLICT', { taskType, epoch: expectedEpoch });
        }
        const { champion, challenger, stage, share, reason } = next;
        const epoch = expectedEpoch + 1;
        const advanced: Deployment = {
          ...{ project, taskType, epoch, fromOrdinal, champion, stage, share, reason },
          ...(challenger === undefined ? {} : { challenger }),
        };
        await insert(tx, advanced, decisionId);
        await appendAudit(tx, project, audit);
        return advanced;
      });
      failpoint('deployment.promoted');
      return deployment;
    },
  };
}

async function insert(tx: Queryable, d: Deployment, decisionId: string): Promise<void> {
  await tx.execute(
    `INSERT INTO deployments (project, task_type, epoch, from_ordinal, champion, challenger, stage, share, reason,
       decision_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      ...[d.project, d.taskType, d.epoch, d.fromOrdinal, d.champion, d.challenger ?? null],
      ...[d.stage, d.share, d.reason, decisionId],
    ],
  );
}
