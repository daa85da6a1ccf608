import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { TaskResult } from '../../activities/task-outcome.ts';
import { waiting } from '../options.ts';
import { activities } from './activities.ts';

/** What `start` comes to; where somebody else's run of the task has begun the same child, what the task comes to. */
export async function onceForTask(
  project: string,
  taskId: string,
  start: () => Promise<TaskResult>,
): Promise<TaskResult> {
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return activities(waiting('the task, which another run has begun')).awaitTask({ project, taskId });
  }
}
