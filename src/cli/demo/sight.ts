import type { RolloutDocument } from '../../activities/rollout.ts';
import type { Stores } from '../../stores/index.ts';
import type { PlanSight } from './plan.ts';

/** What the plan sees, read from the stores of a platform in this process. */
export function platformSight(stores: Stores, project: string, taskType: string): PlanSight {
  return {
    nextOrdinal: () => stores.tasks.nextOrdinal(project, taskType),
    consumedTo: async () => (await stores.kpi.monitor(project, taskType))?.consumedTo ?? 0,
    driftEvents: () => stores.kpi.driftEvents(project, taskType),
    async rollout() {
      const running = (await stores.rollouts.list(project, taskType)).find(({ decidedAt }) => decidedAt === undefined);
      if (running === undefined || running.state === 'starting') return undefined;
      const { consumedTo, process } = running.document as unknown as RolloutDocument;
      return { consumedTo, decided: process.decision.kind !== 'continue' };
    },
  };
}
