import { WorkflowNotFoundError } from '@temporalio/client';
import { failpoint } from '../contracts/failpoint.ts';
import { SIGNALS } from '../contracts/messages.ts';
import { DEFAULT_PROJECT, prefixed, TASK_QUEUES, workflowId, WORKFLOWS } from '../contracts/names.ts';
import { ChimeraError } from '../contracts/errors.ts';
import type { Holder, LeaseRequest, LedgerLine } from '../core/resources/broker.ts';
import type { ActivityDeps } from './deps.ts';

/** A poller that has not asked for this long is gone: a long poll lasts a minute. */
const POLLER_FRESH_MS = 70_000;

export interface ResourcesActivities {
  /** Puts the request into the broker's queue; starts the broker where there is none. */
  requestLease(input: Omit<LeaseRequest, 'class'> & { deviceClass: string }): Promise<void>;
  bookLeases(input: { lines: LedgerLine[] }): Promise<void>;
  isRunning(holder: Holder): Promise<boolean>;
  describeQueue(input: { queue: string }): Promise<{ pollers: number }>;
}

export function createResourcesActivities(deps: ActivityDeps): ResourcesActivities {
  const { stores, temporal, deviceClasses, deviceCosts, queuePrefix } = deps;
  return {
    async requestLease({ deviceClass, ...rest }) {
      if (!(deviceClass in deviceClasses)) {
        const known = Object.keys(deviceClasses).sort();
        throw new ChimeraError('CHIMERA_NO_DEVICE', { name: deviceClass, known });
      }
      const request: LeaseRequest = { ...rest, class: deviceClass };
      await temporal.workflow.signalWithStart(WORKFLOWS.leaseBroker, {
        workflowId: queuePrefix + workflowId.leaseBroker(),
        taskQueue: prefixed(queuePrefix, TASK_QUEUES.workflows),
        args: [{ classes: deviceClasses }],
        signal: SIGNALS.requestLease,
        signalArgs: [request],
        staticSummary: 'grants devices to workflows',
      });
      failpoint('lease.requested');
    },

    async bookLeases({ lines }) {
      for (const { leaseId, class: deviceClass, holder, purpose, ms, project = DEFAULT_PROJECT } of lines) {
        const seconds = ms / 1000;
        const cost = seconds * (deviceCosts[deviceClass] ?? 0);
        await stores.ledger.put(project, { leaseId, deviceClass, holder: holder.workflowId, purpose, seconds, cost });
        failpoint('lease.booked');
      }
    },

    async isRunning({ workflowId: id, runId }) {
      try {
        return (await temporal.workflow.getHandle(id, runId).describe()).status.name === 'RUNNING';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },

    async describeQueue({ queue }) {
      const answer = await temporal.workflowService.describeTaskQueue({
        namespace: temporal.options.namespace,
        taskQueue: { name: queue },
        taskQueueType: 2, // activities
      });
      const now = Date.now();
      const fresh = (answer.pollers ?? []).filter((poller) => {
        const seconds = Number(poller.lastAccessTime?.seconds ?? 0);
        return now - seconds * 1000 < POLLER_FRESH_MS;
      });
      return { pollers: fresh.length };
    },
  };
}
