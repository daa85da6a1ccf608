import {
  allHandlersFinished,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  setHandler,
  defineQuery,
  defineSignal,
  workflowInfo,
} from '@temporalio/workflow';
import { leaseBrokerInput, type LeaseBrokerInput } from '../contracts/inputs.ts';
import { QUERIES, SIGNALS, type LeaseNews, type LeaseRelease } from '../contracts/messages.ts';
import { DEFAULT_PROJECT } from '../contracts/names.ts';
import {
  apply,
  createBroker,
  dueLeases,
  nextDeadline,
  type BrokerEvent,
  type BrokerState,
  type BrokerStep,
  type Holder,
  type Lease,
  type LeaseRequest,
  type LedgerLine,
  type QueuedRequest,
} from '../core/resources/broker.ts';
import { describe, utilisation, type ClassView } from '../core/resources/view.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { createStory } from './lib/story.ts';
import { io } from './options.ts';

/** What `chimera status` shows of the broker. */
export interface LeasesView {
  classes: ClassView[];
  held: Lease[];
  queued: QueuedRequest[];
}

export const requestLeaseSignal = defineSignal<[LeaseRequest]>(SIGNALS.requestLease);
export const releaseLeaseSignal = defineSignal<[LeaseRelease]>(SIGNALS.releaseLease);
export const resizeDevicesSignal = defineSignal<[Record<string, number>]>(SIGNALS.resizeDevices);
export const leaseNewsSignal = defineSignal<[LeaseNews]>(SIGNALS.leaseNews);
export const leasesQuery = defineQuery<LeasesView>(QUERIES.leases);

/**
 * Grants devices to workflows. The state machine is `core/resources/broker.ts`; this workflow is its clock, tells the
 * holders, looks at a holder whose lease has run out, and writes the ledger. One for the whole namespace.
 */
export const leaseBrokerWorkflow = defineWorkflow(
  'leaseBrokerWorkflow',
  'entity',
  leaseBrokerInput,
  async (input): Promise<never> => {
    const story = createStory({ project: DEFAULT_PROJECT, layer: 'resources' });
    let state: BrokerState = (input.state as BrokerState | undefined) ?? createBroker(input.classes);
    const events: BrokerEvent[] = [];
    setHandler(requestLeaseSignal, (request) => void events.push({ type: 'request', request }));
    setHandler(releaseLeaseSignal, ({ leaseId }) => void events.push({ type: 'release', leaseId }));
    setHandler(resizeDevicesSignal, (classes) => void events.push({ type: 'resize', classes }));
    setHandler(leasesQuery, () => ({ classes: utilisation(state), held: state.held, queued: state.queued }));
    for (;;) {
      story.now(describe(state), 'watching');
      const deadline = nextDeadline(state);
      const pause = deadline === undefined ? undefined : Math.max(1, deadline - Date.now());
      if (pause === undefined) await condition(() => events.length > 0);
      else await condition(() => events.length > 0, pause);
      for (const lease of events.length > 0 ? [] : dueLeases(state, Date.now())) {
        const holderAlive = await activities(io('look at the holder')).isRunning(lease.holder);
        events.push({ type: 'expire', leaseId: lease.leaseId, holderAlive });
      }
      const steps: BrokerStep[] = [];
      for (let event = events.shift(); event !== undefined; event = events.shift()) {
        const step = apply(state, event, Date.now());
        state = step.state;
        steps.push(step);
      }
      await settle(steps, (leaseId) => events.push({ type: 'expire', leaseId, holderAlive: false }));
      if (workflowInfo().continueAsNewSuggested && events.length === 0) {
        await condition(allHandlersFinished);
        await continueAsNew<(state: LeaseBrokerInput) => Promise<never>>({
          classes: input.classes,
          state: JSON.parse(JSON.stringify(state)) as LeaseBrokerInput['state'],
        });
      }
    }
  },
);

/** Tells the holders what the steps decided, and books what ended. A holder that is gone loses its lease at once. */
async function settle(steps: readonly BrokerStep[], lost: (leaseId: string) => void): Promise<void> {
  for (const step of steps) {
    for (const lease of step.granted) {
      if (!(await tell(lease.holder, { leaseId: lease.leaseId, granted: true }))) lost(lease.leaseId);
    }
    for (const { leaseId, holder, code, details } of step.rejected) {
      await tell(holder, { leaseId, granted: false, code, details });
    }
    for (const line of step.finished) {
      if (line.end === 'expired') {
        const details = { lease: line.leaseId };
        await tell(line.holder, { leaseId: line.leaseId, granted: false, code: 'CHIMERA_LEASE_LOST', details });
      }
    }
  }
  const finished: LedgerLine[] = steps.flatMap((step) => step.finished);
  if (finished.length > 0) await activities(io('book the lease')).bookLeases({ lines: finished });
}

async function tell(holder: Holder, news: LeaseNews): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(holder.workflowId, holder.runId).signal(leaseNewsSignal, news);
    return true;
  } catch {
    return false; // the holder has closed: its lease ends here
  }
}
