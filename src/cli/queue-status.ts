import type { Client } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../contracts/names.ts';
import type { Manifest } from '../manifest/manifest.ts';

export interface QueueStatus {
  readonly queue: string;
  readonly kind: Manifest['taskQueues'][number]['kind'];
  /** Worker processes that asked for work within the last minute or so. */
  readonly pollers: number;
}

export interface WaitingWorkflow {
  readonly workflowId: string;
  readonly taskType?: string;
  readonly since: string;
}

/** A poll lasts a minute: who has not asked for longer is gone. */
const FRESH_MS = 75_000;
const [WORKFLOW_QUEUE, ACTIVITY_QUEUE] = [1, 2];

/** Who polls each queue of the manifest. */
export function queueStatus(temporal: Client, manifest: Manifest, prefix = ''): Promise<QueueStatus[]> {
  return Promise.all(
    manifest.taskQueues.map(async ({ name, kind }) => {
      const { pollers } = await temporal.workflowService.describeTaskQueue({
        namespace: temporal.options.namespace,
        taskQueue: { name: prefix + name },
        taskQueueType: kind === 'workflow' ? WORKFLOW_QUEUE : ACTIVITY_QUEUE,
      });
      const now = Date.now();
      const fresh = (pollers ?? []).filter(
        ({ lastAccessTime }) => now - Number(lastAccessTime?.seconds ?? 0) * 1000 < FRESH_MS,
      );
      return { queue: prefix + name, kind, pollers: fresh.length };
    }),
  );
}

/** Workflows that wait for a worker of a device class, as they say themselves. */
export async function waitingForWorkers(temporal: Client): Promise<WaitingWorkflow[]> {
  const query = `ExecutionStatus = 'Running' AND ${SEARCH_ATTRIBUTES.phase} = 'no-worker'`;
  const waiting: WaitingWorkflow[] = [];
  for await (const { workflowId, startTime, searchAttributes } of temporal.workflow.list({ query, pageSize: 100 })) {
    const taskType = searchAttributes?.[SEARCH_ATTRIBUTES.taskType]?.[0] as string | undefined;
    waiting.push({ workflowId, since: startTime.toISOString(), ...(taskType === undefined ? {} : { taskType }) });
  }
  return waiting;
}
