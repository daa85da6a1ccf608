import { ChimeraError } from '../contracts/errors.ts';
import { servedExecutionId, type ExecutionConfig, type LongExecution } from '../contracts/executions.ts';
import type { ExecutionFork } from '../contracts/inputs.ts';
import type { JsonObject, TaskRecord } from '../contracts/records.ts';
import { seedOf } from '../core/execution/driver.ts';
import { planFork } from '../core/execution/fork.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { ActivityDeps } from './deps.ts';
import { agentRef, fabricType } from './runs.ts';
import type { Subject } from './turn-loop.ts';
import { requireTask } from './task-outcome.ts';
import { spawnerOf } from './turn-spawn.ts';

/**
 * Opens the execution of a task by its served version, which runs in turns; undefined where the payload cannot even be
 * prepared: then it fails like any other task.
 */
export async function openServed(
  deps: ActivityDeps,
  project: string,
  type: TaskType,
  task: TaskRecord,
): Promise<LongExecution | undefined> {
  const { served } = task.routing;
  const { taskId, taskType, ordinal } = task;
  const payload = task.payload as JsonObject;
  const [prepared] = await deps.fabric.prepare({ taskType: fabricType(type), payloads: [payload] });
  if (prepared === undefined || 'error' in prepared) return undefined;
  const config: ExecutionConfig = { seed: seedOf(taskId).toString(), budget: type.budget ?? {} };
  const depth = await depthOf(deps, project, task.key);
  return deps.stores.longExecutions.open(project, {
    ...{ executionId: servedExecutionId(taskId), taskType, taskId, ordinal, agentVersion: served, depth, config },
  });
}

/** How deep below other executions a task was spawned, by its key; a key that somebody made up says nothing. */
async function depthOf({ stores }: ActivityDeps, project: string, key: string): Promise<number> {
  const parent = spawnerOf(key);
  const found = parent === undefined ? undefined : await stores.longExecutions.get(project, parent);
  return found === undefined ? 0 : found.depth + 1;
}

/** Opens a fork; the same fork of the same execution again is the same execution. Throws `CHIMERA_INVALID_INPUT`. */
export async function openFork(
  { stores }: ActivityDeps,
  project: string,
  fork: ExecutionFork,
  actor: string,
): Promise<LongExecution> {
  const parent = await stores.longExecutions.require(project, fork.execution);
  const { manifest } = await stores.agents.require(project, fork.agentVersion ?? parent.agentVersion);
  return stores.longExecutions.fork(project, planFork(parent, fork, manifest), actor);
}

/** A long execution with all that its steps need. */
export async function subjectOf(deps: ActivityDeps, execution: LongExecution): Promise<Subject> {
  const { project, taskId, agentVersion, config } = execution;
  const task = await requireTask(deps.stores, project, taskId);
  const type = await deps.stores.taskTypes.require<TaskType>(project, task.taskType, task.taskTypeVersion);
  const own = fabricType(type);
  const taskType = config.limits === undefined ? own : { ...own, limits: { ...own.limits, ...config.limits } };
  const [prepared] = await deps.fabric.prepare({ taskType, payloads: [task.payload as JsonObject] });
  if (prepared === undefined || 'error' in prepared) {
    throw new ChimeraError('CHIMERA_INTERNAL', { why: `the payload of task ${taskId} could be prepared before` });
  }
  return { execution, agent: await agentRef(deps, project, agentVersion), taskType, prepared };
}
