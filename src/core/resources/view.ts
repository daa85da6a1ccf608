import type { BrokerState } from './broker.ts';

/** What people and metrics read of a broker. */

export interface ClassView {
  class: string;
  devices: number;
  held: number;
  queued: number;
  /** Share of the device time held since the broker began, 0 to 1; 0 where there was none to hold. */
  utilisation: number;
}

/** One row a device class, by name. Utilisation is as of the last event: send a `tick` for now. */
export function utilisation(state: BrokerState): ClassView[] {
  return Object.keys(state.classes)
    .sort()
    .map((name) => {
      const usage = state.classes[name] ?? { devices: 0, busyMs: 0, capacityMs: 0 };
      return {
        class: name,
        devices: usage.devices,
        held: state.held.filter((lease) => lease.class === name).length,
        queued: state.queued.filter((request) => request.class === name).length,
        // After a class shrinks, more may be held than there is: the share stays a share.
        utilisation: usage.capacityMs === 0 ? 0 : Math.min(1, usage.busyMs / usage.capacityMs),
      };
    });
}

/** Place in the queue of its class: 0 = held, 1 = next, …; undefined: neither held nor waiting. */
export function queuePosition(state: BrokerState, leaseId: string): number | undefined {
  if (state.held.some((lease) => lease.leaseId === leaseId)) return 0;
  const own = state.queued.find((request) => request.leaseId === leaseId);
  if (!own) return undefined;
  return state.queued.filter((request) => request.class === own.class).indexOf(own) + 1;
}

/** The broker in a few lines for the state text of the Temporal UI: each class, who holds, who waits. */
export function describe(state: BrokerState): string {
  const lines = utilisation(state).flatMap((view) => {
    const share = Math.round(view.utilisation * 100);
    const head = `${view.class}: ${view.held} of ${view.devices} held, ${view.queued} waiting, ${share} % used so far`;
    const held = state.held
      .filter((lease) => lease.class === view.class)
      .map((lease) => {
        const extended = lease.extensions === 0 ? '' : `, extended ${lease.extensions}×`;
        return `  held by ${lease.holder.workflowId}: ${lease.purpose}${extended}`;
      });
    const queued = state.queued
      .filter((request) => request.class === view.class)
      .map((request, index) => `  ${index + 1}. ${request.holder.workflowId} (priority ${request.priority})`);
    const none = view.devices === 0 && view.queued > 0 ? ['  no device of this class is there'] : [];
    return [head, ...held, ...none, ...queued.slice(0, 10), ...more(queued.length - 10)];
  });
  return lines.length === 0 ? 'no device class is declared' : lines.join('\n');
}

function more(count: number): string[] {
  return count > 0 ? [`  and ${count} more`] : [];
}
