import { proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { CurationActivities } from '../../activities/curation.ts';
import type { CycleActivities } from '../../activities/cycle.ts';
import type { DistributionActivities } from '../../activities/distribution.ts';
import type { EvaluationActivities } from '../../activities/evaluation.ts';
import type { EvolutionActivities } from '../../activities/evolution.ts';
import type { ExecutionActivities } from '../../activities/execution.ts';
import type { IngestionActivities } from '../../activities/ingestion.ts';
import type { KpiActivities } from '../../activities/kpi.ts';
import type { ResourcesActivities } from '../../activities/resources.ts';
import type { RolloutActivities } from '../../activities/rollout.ts';
import type { TrainingActivities } from '../../activities/training.ts';
import type { TurnActivities } from '../../activities/turns.ts';

/** Every activity of the platform by name; names are unique over all layers. */
export type Activities = IngestionActivities &
  DistributionActivities &
  ExecutionActivities &
  TurnActivities &
  KpiActivities &
  CurationActivities &
  TrainingActivities &
  EvolutionActivities &
  EvaluationActivities &
  RolloutActivities &
  CycleActivities &
  ResourcesActivities;

/** The activities with one option set of `options.ts`: `activities(io('…')).acceptTask(…)`. */
export function activities(options: ActivityOptions): Activities {
  return proxyActivities<Activities>(options) as Activities;
}
