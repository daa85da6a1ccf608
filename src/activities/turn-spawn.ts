import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { SpawnRequest } from '../core/execution/requests.ts';
import type { Stores } from '../stores/index.ts';
import { acceptOne } from './accept.ts';
import { untilDone } from './task-outcome.ts';
import { readPosition } from './turn-position.ts';
import type { Answer } from './turn-types.ts';

const SPAWN_KEY = /^spawn\/(.+)\/\d+\/\d+$/;
const spawnKey = (executionId: string, turn: number, index: number): string => `spawn/${executionId}/${turn}/${index}`;

/** Which execution spawned the task of this key, if it tells the truth: anybody may make up a key. */
export const spawnerOf = (key: string): string | undefined => SPAWN_KEY.exec(key)?.[1];

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
  const served = await untilDone(stores, project, taskId, signal);
  if (served?.status === 'completed') {
    return { index, of: 'spawn-task', ok: true, body: { taskId, output: served.output ?? null } };
  }
  const why = served === undefined ? 'it is a dead letter' : (served.reason?.message ?? 'no reason given');
  const failed = new ChimeraError('CHIMERA_TASK_FAILED', { task: taskId, why });
  return { index, of: 'failure', code: failed.code, message: failed.message };
}
