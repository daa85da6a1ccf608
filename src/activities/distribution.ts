import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { ActivityDeps } from './deps.ts';

export interface BatchPlan {
  taskType: string;
  count: number;
  firstOrdinal: number;
  /** Exclusive. */
  endOrdinal: number;
}

export interface DistributionActivities {
  planBatch(input: { project: string; batchId: string }): Promise<BatchPlan>;
  completeBatch(input: { project: string; batchId: string }): Promise<void>;
  buryTask(input: { project: string; taskId: string; code: string; reason: string }): Promise<void>;
}

export function createDistributionActivities({ stores }: ActivityDeps): DistributionActivities {
  return {
    async planBatch({ project, batchId }) {
      const batch = await stores.batches.get(project, batchId);
      if (batch === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'batch', name: batchId });
      const { taskType, count, first = 0, last = -1 } = batch;
      return { taskType, count, firstOrdinal: first, endOrdinal: last + 1 };
    },

    async completeBatch({ project, batchId }) {
      await stores.batches.complete(project, batchId);
      failpoint('batch.completed');
    },

    async buryTask({ project, taskId, code, reason }) {
      const task = await stores.tasks.get(project, taskId);
      if (task === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'task', name: taskId });
      await stores.deadLetters.put(project, { taskId, taskType: task.taskType, ordinal: task.ordinal, code, reason });
    },
  };
}
