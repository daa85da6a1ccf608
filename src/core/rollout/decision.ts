import { hashOf, type Sha256 } from '../canonical/canonical.ts';
import { updateRollout, type RolloutPair, type RolloutSettings, type RolloutState } from './rollout.ts';

/** How a rollout is decided, as it is stored with it. */
export interface RolloutTerms {
  readonly alpha: number;
  readonly minimumEffect: number;
  readonly cap: number;
  readonly shadowTasks: number;
  readonly share: number;
}

/** The cost path: as good within a point, each shown at a fifth of alpha, and at least a tenth cheaper. */
const costPath = (alpha: number) => ({ margin: 0.01, costAlpha: alpha / 5, minSaving: 0.1 });

/** The sequential test that these terms ask for. */
export const rolloutSettings = ({
  alpha,
  minimumEffect,
  cap,
  shadowTasks,
}: Omit<RolloutTerms, 'share'>): RolloutSettings => ({
  alpha,
  minEffect: minimumEffect,
  cap,
  shadowPairs: shadowTasks,
  cost: costPath(alpha),
});

/** A task that both versions were scored on. */
export interface ScoredPair {
  readonly ordinal: number;
  readonly taskId: string;
  readonly champion: { readonly score: number };
  readonly challenger: { readonly score: number };
}

/** The state after these pairs, in their order. `costs` gives what a version spent on a task. */
export function weighPairs(
  before: RolloutState,
  pairs: readonly ScoredPair[],
  versions: { champion: string; challenger: string },
  costs: (taskId: string, version: string) => number,
): RolloutState {
  return pairs
    .map(({ ordinal, taskId, champion, challenger }): RolloutPair => ({
      ordinal,
      champion: { score: champion.score, cost: costs(taskId, versions.champion) },
      challenger: { score: challenger.score, cost: costs(taskId, versions.challenger) },
    }))
    .reduce(updateRollout, before);
}

/** What a decision rests on, and nothing of where or when it was made. */
export interface RolloutDecisionRecord {
  readonly champion: string;
  readonly challenger: string;
  readonly settings: RolloutTerms;
  readonly fromOrdinal: number;
  readonly decision: RolloutState['decision'];
  readonly wins: number;
  readonly losses: number;
  readonly pairs: number;
}

/** The decision that a state stands for, and its name. */
export function decisionOf(
  versions: { champion: string; challenger: string },
  settings: RolloutTerms,
  fromOrdinal: number,
  state: RolloutState,
): { record: RolloutDecisionRecord; hash: Sha256 } {
  const { decision, wins, losses, pairs } = state;
  const { champion, challenger } = versions;
  const record = { champion, challenger, settings, fromOrdinal, decision, wins, losses, pairs };
  return { record, hash: hashOf(record) };
}
