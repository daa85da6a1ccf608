import { ChimeraError, isChimeraError } from '../contracts/errors.ts';
import { runsInTurns } from '../contracts/executions.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { ExecutionRow, TaskRecord, TaskState } from '../contracts/records.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import { isSandboxFault } from './circuits.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';
import { agentsOf, runTasks, type RunTasksOptions } from './runs.ts';
import { openServed } from './turn-opening.ts';
import { requireTask, taskResult, untilDone, type TaskResult } from './task-outcome.ts';

/** Instead of a result: the served version goes turn by turn, in `executionWorkflow`. */
export interface TurnsAhead {
  status: 'turns-ahead';
  executionId: string;
  /** Does another version run beside it? */
  shadow: boolean;
}

export interface ShardResult {
  executed: number;
  failed: number;
  /** Tasks of the shard that are still to be run, turn by turn. */
  ahead?: string[];
}

export interface ExecutionActivities {
  /** Runs an accepted task with every version of its routing and stores the executions. Running it again changes nothing. */
  executeTask(input: { project: string; taskId: string }): Promise<TaskResult | TurnsAhead>;
  /** Waits for a task that somebody else runs. `CHIMERA_TASK_FAILED` where it becomes a dead letter. */
  awaitTask(input: { project: string; taskId: string }): Promise<TaskResult>;
  /** Runs the other version of a task whose served one went turn by turn: on the effects that were recorded then. */
  executeShadow(input: { project: string; taskId: string }): Promise<void>;
  /**
   * Runs what is left of a shard: the tasks of a batch with ordinals in [from, to). The result counts the whole shard,
   * what an earlier attempt ran included.
   */
  executeShard(input: {
    project: string;
    batchId: string;
    taskType: string;
    from: number;
    to: number;
  }): Promise<ShardResult>;
}

/** Tasks that are run, and then stored, together. Every sandbox gets a part of them. */
const CHUNK = 128;
/** Tries of a single task whose sandbox dies or overruns its wall time, before it is a dead letter. */
const TRIES_ALONE = 3;

export function createExecutionActivities(deps: ActivityDeps): ExecutionActivities {
  const { stores } = deps;

  async function store(project: string, type: TaskType, rows: ExecutionRow[]): Promise<void> {
    const { divergent } = await stores.executions.putMany(project, type.name, rows);
    if (divergent.length > 0) {
      const why = `tasks ${divergent.slice(0, 5).join(', ')} gave another record than before`;
      throw new ChimeraError('CHIMERA_INTERNAL', { why });
    }
    failpoint('execution.stored');
  }

  /** What has become of the tasks of a shard, whichever attempt ran them. */
  async function shardResult(
    project: string,
    taskType: string,
    { batchId, from, to }: { batchId: string; from: number; to: number },
  ): Promise<ShardResult> {
    const tasks = await stores.tasks.summaries(project, taskType, from, to);
    const count = (...states: TaskState[]): number =>
      tasks.filter((task) => task.batchId === batchId && states.includes(task.state)).length;
    return { executed: count('completed', 'failed'), failed: count('failed', 'dead') };
  }

  /** A chunk that brought its sandbox down, task by task: only the culprit becomes a dead letter. */
  async function runAlone(
    project: string,
    type: TaskType,
    tasks: TaskRecord[],
    options: RunTasksOptions,
  ): Promise<void> {
    for (const task of tasks) {
      for (let attempt = 1; ; attempt++) {
        try {
          await store(project, type, await runTasks(deps, project, type, [task], options));
          break;
        } catch (error) {
          const open = isChimeraError(error, 'CHIMERA_CIRCUIT_OPEN');
          if (!isSandboxFault(error) && !open) throw error;
          if (attempt < TRIES_ALONE && !open) continue;
          const { taskId, taskType, ordinal } = task;
          await stores.deadLetters.put(project, { taskId, taskType, ordinal, code: error.code, reason: error.message });
          break;
        }
      }
    }
  }

  /** Runs chunk after chunk, each while the one before is being stored. `note` hears how many are stored. */
  async function runAll(
    project: string,
    type: TaskType,
    tasks: TaskRecord[],
    options: RunTasksOptions,
    note: (stored: number) => void,
  ): Promise<void> {
    let storing = Promise.resolve();
    try {
      for (let start = 0; start < tasks.length; start += CHUNK) {
        options.signal?.throwIfAborted();
        const chunk = tasks.slice(start, start + CHUNK);
        const rows = await runTasks(deps, project, type, chunk, options).catch((error: unknown) => {
          if (isSandboxFault(error) || isChimeraError(error, 'CHIMERA_CIRCUIT_OPEN')) return undefined;
          throw error;
        });
        await storing;
        const done = rows === undefined ? runAlone(project, type, chunk, options) : store(project, type, rows);
        storing = done.then(() => note(chunk.length));
        // Heard when the next chunk has run; a rejection must not go unhandled until then.
        storing.catch(() => undefined);
      }
    } finally {
      await storing;
    }
  }

  return {
    async executeTask({ project, taskId }) {
      const task = await requireTask(stores, project, taskId);
      const type = await stores.taskTypes.require<TaskType>(project, task.taskType, task.taskTypeVersion);
      const agents = await agentsOf(deps, project, [task]);
      const { manifest } = agents.get(task.routing.served)!;
      const long = runsInTurns(manifest) ? await openServed(deps, project, type, task) : undefined;
      if (long !== undefined) {
        await stores.tasks.setState(project, taskId, 'running');
        return { status: 'turns-ahead', executionId: long.executionId, shadow: task.routing.shadow !== undefined };
      }
      const rows = await runTasks(deps, project, type, [task], { agents });
      await stores.executions.putMany(project, type.name, rows);
      failpoint('execution.stored');
      return taskResult(rows.find((row) => row.role === 'served')!);
    },

    async awaitTask({ project, taskId }) {
      const served = await heartbeating((signal) => untilDone(stores, project, taskId, signal));
      if (served !== undefined) return taskResult(served);
      throw new ChimeraError('CHIMERA_TASK_FAILED', { task: taskId, why: 'it is a dead letter' });
    },

    async executeShadow({ project, taskId }) {
      const task = await requireTask(stores, project, taskId);
      const type = await stores.taskTypes.require<TaskType>(project, task.taskType, task.taskTypeVersion);
      await store(project, type, await runTasks(deps, project, type, [task], { only: 'shadow' }));
    },

    async executeShard({ project, batchId, taskType, from, to }) {
      return heartbeating(async (signal, note) => {
        const missing = await stores.executions.missing(project, taskType, from, to, { batchId });
        const agents = await agentsOf(deps, project, missing);
        const inTurns = ({ routing }: TaskRecord): boolean => runsInTurns(agents.get(routing.served)!.manifest);
        const tasks = missing.filter((task) => !inTurns(task));
        const ahead = missing.filter(inTurns).map(({ taskId }) => taskId);
        let stored = 0;
        for (const [version, group] of Map.groupBy(tasks, (task) => task.taskTypeVersion)) {
          const type = await stores.taskTypes.require<TaskType>(project, taskType, version);
          await runAll(project, type, group, { signal, agents }, (more) =>
            note({ stored: (stored += more), of: tasks.length }),
          );
        }
        const result = await shardResult(project, taskType, { batchId, from, to });
        return ahead.length === 0 ? result : { ...result, ahead };
      });
    },
  };
}
