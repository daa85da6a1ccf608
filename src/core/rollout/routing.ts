import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import type { Routing } from '../../contracts/records.ts';
import { sha256Hex } from '../canonical/canonical.ts';

/** Which agent versions serve a task type from an ordinal on, until the next epoch begins. */
export interface Deployment {
  /** Rises by one with each change; the compare-and-set key. */
  readonly epoch: number;
  readonly fromOrdinal: number;
  readonly champion: string;
  readonly challenger?: string;
  readonly stage: 'full' | 'shadow' | 'canary';
  /** In canary: the share of tasks that the challenger answers, in [0, 1]. */
  readonly share: number;
}

/** Who answers a task, and whether the other version runs it too. Stored with the task at admission. */
export interface Route {
  readonly epoch: number;
  readonly serve: 'champion' | 'challenger';
  /** The version whose answer is given. */
  readonly version: string;
  /** Does the other version run the task as well (its answer is scored, not given)? */
  readonly shadow: boolean;
}

/** What is wrong with a deployment; empty when it is right. */
export function deploymentProblems(deployment: Deployment): Problem[] {
  const problems: Problem[] = [];
  const { epoch, fromOrdinal, champion, challenger, stage, share } = deployment;
  if (!Number.isSafeInteger(epoch) || epoch < 0) problems.push({ path: '/epoch', message: 'must be an integer ≥ 0' });
  if (!Number.isSafeInteger(fromOrdinal) || fromOrdinal < 0)
    problems.push({ path: '/fromOrdinal', message: 'must be an integer ≥ 0' });
  if (champion === '') problems.push({ path: '/champion', message: 'must name an agent version' });
  if (!(share >= 0 && share <= 1)) problems.push({ path: '/share', message: 'must lie in [0, 1]' });
  if (stage !== 'full' && !challenger)
    problems.push({ path: '/challenger', message: `stage "${stage}" needs a challenger` });
  if (challenger !== undefined && challenger === champion)
    problems.push({ path: '/challenger', message: 'must differ from the champion' });
  return problems;
}

/**
 * A pure function of its arguments: in canary the challenger answers where the hash of (epoch, task hash), read as a
 * fraction, lies below the share, so each epoch draws anew and a greater share keeps every task of a smaller one.
 * Throws CHIMERA_INVALID_INPUT where the deployment is not valid or does not hold for the ordinal yet.
 */
export function route(deployment: Deployment, ordinal: number, taskHash: string): Route {
  const problems = deploymentProblems(deployment);
  if (ordinal < deployment.fromOrdinal)
    problems.push({ path: '/fromOrdinal', message: `is ${deployment.fromOrdinal}, the task's ordinal ${ordinal}` });
  if (problems.length > 0) throw invalidInput('the deployment', problems);
  const { epoch, champion, challenger, stage, share } = deployment;
  const shadow = stage !== 'full';
  if (stage === 'canary' && fraction(epoch, taskHash) < share)
    return { epoch, serve: 'challenger', version: challenger!, shadow };
  return { epoch, serve: 'champion', version: champion, shadow };
}

/** The routing that is stored with a task at admission. */
export function routingOf(deployment: Deployment, ordinal: number, taskHash: string): Routing {
  const { epoch, version, shadow, serve } = route(deployment, ordinal, taskHash);
  const other = serve === 'champion' ? deployment.challenger : deployment.champion;
  return { epoch, served: version, ...(shadow && other !== undefined ? { shadow: other } : {}) };
}

function fraction(epoch: number, taskHash: string): number {
  return Number.parseInt(sha256Hex(JSON.stringify(['route', epoch, taskHash])).slice(0, 13), 16) / 0x10000000000000;
}

/** The deployment that holds for an ordinal: the latest epoch among those that begin at or below it. */
export function deploymentAt(history: readonly Deployment[], ordinal: number): Deployment | undefined {
  let held: Deployment | undefined;
  for (const deployment of history) {
    if (deployment.fromOrdinal <= ordinal && (held === undefined || deployment.epoch > held.epoch)) held = deployment;
  }
  return held;
}
