import { ApplicationFailure, isCancellation } from '@temporalio/workflow';
import { taskInput } from '../contracts/inputs.ts';
import { invalidInput } from '../contracts/errors.ts';
import type { TaskResult } from '../activities/execution.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { rootCause } from './lib/failures.ts';
import { createStory } from './lib/story.ts';
import { io, oneTask } from './options.ts';

/**
 * One task, low latency: one activity validates, prepares, runs, scores and stores. Started by the gateway and the
 * dispatcher with `taskId`, or from the Temporal UI with `{"taskType", "payload"}`, whose row the first activity writes.
 * A task that no attempt can run becomes a dead letter with its reason.
 */
export const taskWorkflow = defineWorkflow('taskWorkflow', 'run', taskInput, async (input): Promise<TaskResult> => {
  const taskId = input.taskId ?? (await acceptFromUi(input));
  try {
    return await activities(oneTask()).executeTask({ project: input.project, taskId });
  } catch (error) {
    if (isCancellation(error)) throw error;
    const { code, message } = rootCause(error);
    await activities(io('dead letter')).buryTask({ project: input.project, taskId, code, reason: message });
    throw ApplicationFailure.nonRetryable(message, code, { taskId });
  }
});

async function acceptFromUi(input: ReturnType<typeof taskInput.parse>): Promise<string> {
  if (input.taskType === undefined || input.payload === undefined) {
    throw invalidInput('the input of taskWorkflow', [
      { path: '', message: 'give either taskId, or taskType and payload' },
    ]);
  }
  createStory({ project: input.project, taskType: input.taskType, layer: 'execution' });
  const { taskId } = await activities(io('accept the task')).acceptTask({
    project: input.project,
    taskType: input.taskType,
    payload: input.payload,
    ...(input.key === undefined ? {} : { key: input.key }),
  });
  return taskId;
}
