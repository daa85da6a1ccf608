import { setTimeout as pause } from 'node:timers/promises';
import { ChimeraError } from '../contracts/errors.ts';
import type { ExecutionRow, JsonValue, TaskRecord } from '../contracts/records.ts';
import type { Stores } from '../stores/index.ts';

const LOOK_EVERY_MS = 200;

/** The result of a task is that of its served execution. */
export function taskResult(row: ExecutionRow): TaskResult {
  const { taskId, ordinal, status, output, reason, agentVersion, fuel, modelCalls } = row;
  return {
    taskId,
    ordinal,
    status,
    ...(output === undefined ? {} : { output }),
    ...(reason === undefined ? {} : { reason }),
    agentVersion,
    fuel,
    modelCalls,
  };
}

export interface TaskResult {
  taskId: string;
  ordinal: number;
  status: 'completed' | 'failed';
  output?: JsonValue;
  reason?: { code: string; message: string };
  agentVersion: string;
  fuel: number;
  modelCalls: number;
}

/** @throws `CHIMERA_NOT_FOUND` */
export async function requireTask(stores: Stores, project: string, taskId: string): Promise<TaskRecord> {
  const task = await stores.tasks.get(project, taskId);
  if (task === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'task', name: taskId });
  return task;
}

/** Waits until a task is done, whoever runs it: its served execution, or undefined for a dead letter. */
export async function untilDone(
  stores: Stores,
  project: string,
  taskId: string,
  signal: AbortSignal,
): Promise<ExecutionRow | undefined> {
  for (;;) {
    const { state } = await requireTask(stores, project, taskId);
    if (state === 'dead') return undefined;
    if (state === 'completed' || state === 'failed') {
      const executions = await stores.executions.forTask(project, taskId);
      return executions.find(({ role }) => role === 'served')!;
    }
    await pause(LOOK_EVERY_MS, undefined, { signal });
  }
}
