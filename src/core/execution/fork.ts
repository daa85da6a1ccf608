import { invalidInput, type Problem } from '../../contracts/errors.ts';
import { runsInTurns, type ExecutionConfig, type LongExecution } from '../../contracts/executions.ts';
import type { ExecutionFork } from '../../contracts/inputs.ts';
import type { AgentManifest } from '../../contracts/records.ts';
import { hashOf } from '../canonical/canonical.ts';

/** A fork as it is opened. */
export type PlannedFork = Pick<
  LongExecution,
  'executionId' | 'taskType' | 'taskId' | 'ordinal' | 'agentVersion' | 'depth' | 'config'
> & { readonly parent: string; readonly fromTurn: number };

/**
 * An execution of the same task that shares the effects of its parent below a turn. Its name is one of what it changes, so that the
 * same fork twice is one. `manifest`: of the agent version that the fork runs. Throws `CHIMERA_INVALID_INPUT` with every
 * problem.
 */
export function planFork(parent: LongExecution, fork: ExecutionFork, manifest: AgentManifest): PlannedFork {
  const { executionId, taskType, taskId, ordinal, depth, config } = parent;
  const agentVersion = fork.agentVersion ?? parent.agentVersion;
  const problems: Problem[] = [];
  if (fork.turn > parent.turn) {
    problems.push({ path: '/turn', message: `the execution has ${parent.turn} turns so far` });
  }
  if (!runsInTurns(manifest)) {
    problems.push({ path: '/agentVersion', message: 'this agent asks the world for nothing: it has no turns' });
  }
  if (problems.length > 0) throw invalidInput('the fork', problems);
  const limits = fork.limits ?? config.limits;
  const changed: ExecutionConfig = {
    seed: fork.seed ?? config.seed,
    budget: fork.budget ?? config.budget,
    ...(limits === undefined ? {} : { limits }),
  };
  const name = hashOf({ turn: fork.turn, agentVersion, config: changed }).slice(0, 12);
  return {
    ...{ executionId: `${executionId}.f${name}`, parent: executionId, fromTurn: fork.turn },
    ...{ taskType, taskId, ordinal, depth, agentVersion, config: changed },
  };
}
