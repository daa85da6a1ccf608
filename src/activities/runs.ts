import { ChimeraError } from '../contracts/errors.ts';
import { runsInTurns } from '../contracts/executions.ts';
import type { ExecutionRole, ExecutionRow, JsonObject, JsonValue, TaskRecord } from '../contracts/records.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import { seedOf } from '../core/execution/driver.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { AgentRef, RecordedEffect, RunItemResult, TaskTypeRef } from '../fabric/index.ts';
import type { ActivityDeps } from './deps.ts';

/** A task type as the fabric needs it. */
export function fabricType(type: TaskType): TaskTypeRef {
  const { fuel, memoryPages, turns, outputBytes } = type.limits;
  const limits = Object.fromEntries(
    Object.entries({ fuel, memoryPages, turns, outputBytes }).filter(([, value]) => value !== undefined),
  );
  return { preprocess: type.preprocess, features: type.features, output: type.output, limits };
}

/** An agent version as the fabric needs it. */
export async function agentRef(
  { stores }: Pick<ActivityDeps, 'stores'>,
  project: string,
  version: string,
): Promise<AgentRef> {
  const { module, manifest } = await stores.agents.require(project, version);
  return { sha256: module.sha256, manifest };
}

/** Agent versions by their IDs. */
export type Agents = ReadonlyMap<string, AgentRef>;

/** Every version that the routing of these tasks names. */
export async function agentsOf(
  deps: Pick<ActivityDeps, 'stores'>,
  project: string,
  tasks: readonly TaskRecord[],
): Promise<Agents> {
  const named = tasks.flatMap(({ routing: { served, shadow } }) =>
    shadow === undefined ? [served] : [served, shadow],
  );
  const versions = [...new Set(named)];
  const refs = await Promise.all(versions.map((version) => agentRef(deps, project, version)));
  return new Map(versions.map((version, i) => [version, refs[i]!]));
}

export interface RunTasksOptions {
  readonly signal?: AbortSignal;
  /** Those of the tasks, where somebody has read them already. */
  readonly agents?: Agents;
  /** Only versions of this role run. */
  readonly only?: ExecutionRole;
}

/**
 * The executions of these tasks: every version of a task's routing runs it. One way for the single task and for the shard,
 * so that both give equal records. A version that asks for effects on the world is told what was recorded for the task: only the
 * version that is served acts.
 */
export async function runTasks(
  deps: Pick<ActivityDeps, 'stores' | 'fabric'>,
  project: string,
  type: TaskType,
  tasks: readonly TaskRecord[],
  { signal, only, agents }: RunTasksOptions = {},
): Promise<ExecutionRow[]> {
  const refs = agents ?? (await agentsOf(deps, project, tasks));
  const runs = tasks.flatMap((task) => {
    const { served, shadow } = task.routing;
    const own = { task, version: served, role: 'served' as ExecutionRole };
    const both = shadow === undefined ? [own] : [own, { task, version: shadow, role: 'shadow' as ExecutionRole }];
    return both.filter(({ role }) => only === undefined || role === only);
  });
  const groups = [...Map.groupBy(runs, (run) => run.version)];
  const rows = await Promise.all(
    groups.map(async ([version, group]) => {
      const agent = refs.get(version)!;
      const recorded = runsInTurns(agent.manifest)
        ? await recordedEffects(
            deps,
            project,
            group.map(({ task }) => task.taskId),
          )
        : undefined;
      const results = await deps.fabric.run(
        {
          agent,
          onlyRecorded: recorded !== undefined,
          taskType: fabricType(type),
          items: group.map(({ task }) => ({
            key: task.taskId,
            seed: seedOf(task.taskId),
            payload: task.payload as JsonObject,
            ...(recorded === undefined ? {} : { recorded: recorded.get(task.taskId) ?? [] }),
          })),
        },
        { ...(signal === undefined ? {} : { signal }), want: 'features' },
      );
      return group.map(({ task, role }, i) => executionRow(task, version, role, results[i]!));
    }),
  );
  return rows.flat().sort((a, b) => a.ordinal - b.ordinal || (a.role < b.role ? -1 : 1));
}

function executionRow(
  task: TaskRecord,
  agentVersion: string,
  role: ExecutionRole,
  result: RunItemResult,
): ExecutionRow {
  const base = { taskId: task.taskId, ordinal: task.ordinal, agentVersion, role };
  if ('error' in result) {
    const { code, message } = result.error;
    // A payload that cannot be prepared is the task's fault: a failed execution. Anything else is ours, and is retried.
    if (code !== 'CHIMERA_INVALID_INPUT') throw new ChimeraError(code, result.error.details);
    const reason = { code: 'not-prepared', message };
    const nothing = { fuel: 0, modelCalls: 0, memoryBytes: 0, turns: 0, features: [] };
    return { ...base, status: 'failed', reason, ...nothing, recordHash: hashOf({ status: 'failed', reason }) };
  }
  const { status, output, reason, fuel, modelCalls, memoryBytes, turns } = result.record;
  return {
    ...base,
    status,
    ...(output === undefined ? {} : { output }),
    ...(reason === undefined ? {} : { reason }),
    fuel,
    modelCalls,
    memoryBytes,
    turns,
    recordHash: result.recordHash,
    features: [...result.features],
  };
}

/** What was recorded of the world for these tasks, by task. */
async function recordedEffects(
  { stores }: Pick<ActivityDeps, 'stores'>,
  project: string,
  taskIds: readonly string[],
): Promise<Map<string, RecordedEffect[]>> {
  const effects = await stores.effects.ofTasks(project, taskIds);
  const read = await Promise.all(
    effects.map(async ({ taskId, kind, requestHash, ok, body, scores }) => {
      const text = typeof body === 'string' ? body : new TextDecoder().decode(await stores.artifacts.get(body));
      return { taskId, effect: { kind, requestHash, ok, body: JSON.parse(text) as JsonValue, scores } };
    }),
  );
  const byTask = Map.groupBy(read, ({ taskId }) => taskId);
  return new Map([...byTask].map(([taskId, all]) => [taskId, all.map(({ effect }) => effect)]));
}
