import { setTimeout as pause } from 'node:timers/promises';
import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { TaskRecord } from '../contracts/records.ts';
import type { SpawnRequest } from '../core/execution/requests.ts';
import type { Stores } from '../stores/index.ts';
import { acceptOne } from './accept.ts';
import { readPosition } from './turn-position.ts';
import type { Answer } from './turn-types.ts';

const LOOK_EVERY_MS = 200;

const SPAWN_KEY = /^spawn\/(.+)\/\d+\/\d+$/;
const spawnKey = (executionId: string, turn: number, index: number): string => `spawn/${executionId}/${turn}/${index}`;

/** Which execution spawned the task of this key, if it tells the truth: anybody may make up a key. */
export const spawnerOf = (key: string): string | undefined => SPAWN_KEY.exec(key)?.[1];

/** @throws `CHIMERA_NOT_FOUND` */
export async function requireTask(stores: Stores, project: string, taskId: string): Promise<TaskRecord> {
  const task = await stores.tasks.get(project, taskId);
  if (task === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'task', name: taskId });
  return task;
}

/** The accept row is the outbox here, too: the dispatcher runs the task like any other. */
export async function runSpawned(
  stores: Stores,
  { project, executionId, index }: { project: string; executionId: string; index: number },
  signal: AbortSignal,
): Promise<Answer> {
  const { position } = await stores.longExecutions.position(project, executionId);
  const suspension = position === undefined ? undefined : readPosition(position);
  const request = suspension?.asked.find((effect) => effect.index === index)?.request as SpawnRequest | undefined;
  if (suspension === undefined || request === undefined) {
    throw new ChimeraError('CHIMERA_INTERNAL', { why: `${executionId} asks for no task ${index}` });
  }
  const { taskType, payload, priority } = request;
  const key = spawnKey(executionId, suspension.checkpoint.turn - 1, index);
  let taskId: string;
  try {
    const wanted = { taskType, payload, key, ...(priority === undefined ? {} : { priority }) };
    taskId = (await acceptOne(stores, project, wanted)).task.taskId;
  } catch (error) {
    // What is wrong with its request is the agent's to hear; anything else is ours, and is tried again.
    if (!(error instanceof ChimeraError) || error.retryable) throw error;
    return { index, of: 'failure', code: error.code, message: error.message };
  }
  failpoint('turns.spawned');
  for (;;) {
    const task = await requireTask(stores, project, taskId);
    if (task.state === 'completed' || task.state === 'failed') {
      const executions = await stores.executions.forTask(project, taskId);
      const { status, output, reason } = executions.find(({ role }) => role === 'served')!;
      if (status === 'completed')
        return { index, of: 'spawn-task', ok: true, body: { taskId, output: output ?? null } };
      return failedTask(index, taskId, reason?.message ?? 'no reason given');
    }
    if (task.state === 'dead') return failedTask(index, taskId, 'it is a dead letter');
    await pause(LOOK_EVERY_MS, undefined, { signal });
  }
}

const failedTask = (index: number, taskId: string, why: string): Answer => ({
  index,
  of: 'failure',
  code: 'CHIMERA_TASK_FAILED',
  message: `task ${taskId} has failed: ${why}`,
});
