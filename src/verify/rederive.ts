import type { AgentVersion } from '../contracts/records.ts';
import { checkArtifacts } from './artifacts.ts';
import type { Check, VerifyDeps } from './check.ts';
import { checkExperiments, checkRollouts } from './decided.ts';
import { checkAgents, checkDatasets, checkJudgements, checkModels } from './learned.ts';
import { lineageScope, wholeScope } from './scope.ts';
import { checkDrift, checkExecutions, checkRouting, checkScores, checkWindows } from './stream.ts';

export interface RederiveOptions {
  /** Only what this version came from. */
  readonly agent?: AgentVersion;
  /** Run no agent again: executions and judgements are left out, searches are played from the stored evaluations. */
  readonly fast?: boolean;
  /** Told each check as it ends. */
  readonly onCheck?: (check: Check) => void;
}

/**
 * Derives everything that is stored again from what it was made from, and compares. Each check trusts the stored form of
 * its inputs, which are other checks' subjects: together they rest on what came from outside, the tasks' bodies, the
 * feedback and the first agents.
 */
export async function rederive(deps: VerifyDeps, options: RederiveOptions = {}): Promise<Check[]> {
  const { fast = false, agent, onCheck } = options;
  const { stores, project } = deps;
  const scope = agent === undefined ? await wholeScope(stores, project) : await lineageScope(stores, project, agent);
  const checks: Check[] = [];
  const add = async (check: Promise<Check>): Promise<void> => {
    const done = await check;
    checks.push(done);
    onCheck?.(done);
  };
  await add(checkArtifacts(deps, scope.artifacts, scope.whole));
  for (const type of scope.types) {
    await add(checkRouting(deps, type));
    if (!fast) await add(checkExecutions(deps, type));
    await add(checkScores(deps, type));
    if (scope.whole) await add(checkWindows(deps, type));
    const drift = await checkDrift(deps, type, scope.whole);
    await add(Promise.resolve(drift.check));
    await add(checkDatasets(deps, type.datasets, drift.alarms));
    await add(checkModels(deps, type.models));
    await add(checkExperiments(deps, type.experiments, fast));
    await add(checkRollouts(deps, type.taskType, type.rollouts));
  }
  if (!fast && scope.whole) await add(checkJudgements(deps, scope.judgements));
  await add(checkAgents(deps, scope.agents));
  return checks;
}
