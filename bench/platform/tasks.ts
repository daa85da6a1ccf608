import type { WorkflowHandle } from '@temporalio/client';
import type { ExampleItem } from '../../src/cli/demo/example.ts';
import type { Platform } from '../../src/cli/platform.ts';
import type { TaskResult } from '../../src/activities/task-outcome.ts';
import type { TaskRecord } from '../../src/contracts/records.ts';
import { routingOf } from '../../src/core/rollout/routing.ts';
import { createStarter } from '../../src/gateway/starter.ts';

/** Accepts the items as single tasks that nobody but the caller starts. */
export async function acceptSingle(
  { stores, config }: Platform,
  taskType: string,
  items: readonly ExampleItem[],
  name: string,
): Promise<TaskRecord[]> {
  const { project } = config;
  const accepted = await stores.tasks.acceptMany(
    project,
    taskType,
    items.map(({ id, payload }) => ({ key: `${name}/${id}`, payload })),
    { route: routingOf },
  );
  const tasks = accepted.map(({ task }) => task);
  await stores.tasks.markDispatched(
    project,
    tasks.map(({ taskId }) => taskId),
  );
  return tasks;
}

/** Starts `taskWorkflow` as the gateway does, and waits for its result. */
export function taskRunner({ temporal }: Platform): (task: TaskRecord) => Promise<TaskResult> {
  const starter = createStarter({ temporal, deadlineMs: 60_000 });
  return async (task) => {
    const handle: WorkflowHandle = await starter.task(task);
    return (await handle.result()) as TaskResult;
  };
}
