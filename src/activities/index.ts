import type { Layer } from '../contracts/names.ts';
import { createCurationActivities } from './curation.ts';
import { createCycleActivities } from './cycle.ts';
import type { ActivityDeps } from './deps.ts';
import { createDistributionActivities } from './distribution.ts';
import { createEvaluationActivities } from './evaluation.ts';
import { createEvolutionActivities } from './evolution.ts';
import { createExecutionActivities } from './execution.ts';
import { toFailure } from './failures.ts';
import { keepingAlive } from './heartbeat.ts';
import { createIngestionActivities } from './ingestion.ts';
import { createKpiActivities } from './kpi.ts';
import { createResourcesActivities } from './resources.ts';
import { createRolloutActivities } from './rollout.ts';
import { createTrainingActivities } from './training.ts';
import { createTurnActivities } from './turns.ts';

type Activity = (...args: never[]) => Promise<unknown>;

export interface RegisteredActivities {
  /** Every activity by name, its errors turned into failures of the error table. */
  activities: Record<string, Activity>;
  layerOf(name: string): Layer | undefined;
}

/** All activities of the platform, as a worker registers them. */
export function createActivities(deps: ActivityDeps): RegisteredActivities {
  const groups: [Layer, object][] = [
    ['ingestion', createIngestionActivities(deps)],
    ['distribution', createDistributionActivities(deps)],
    ['execution', createExecutionActivities(deps)],
    ['execution', createTurnActivities(deps)],
    ['kpi', createKpiActivities(deps)],
    ['curation', createCurationActivities(deps)],
    ['evolution', createTrainingActivities(deps)],
    ['evolution', createEvolutionActivities(deps)],
    ['evolution', createEvaluationActivities(deps)],
    ['evolution', createRolloutActivities(deps)],
    ['evolution', createCycleActivities(deps)],
    ['resources', createResourcesActivities(deps)],
  ];
  const activities: Record<string, Activity> = {};
  const layers = new Map<string, Layer>();
  for (const [layer, group] of groups) {
    for (const [name, activity] of Object.entries(group as Record<string, Activity>)) {
      if (name in activities) throw new Error(`two activities are named ${name}`);
      activities[name] = withFailures(activity);
      layers.set(name, layer);
    }
  }
  return { activities, layerOf: (name) => layers.get(name) };
}

function withFailures(activity: Activity): Activity {
  return async (...args) => {
    try {
      return await keepingAlive(() => activity(...args));
    } catch (error) {
      throw toFailure(error);
    }
  };
}
