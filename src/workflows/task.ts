import { ApplicationFailure, ChildWorkflowCancellationType, executeChild, isCancellation } from '@temporalio/workflow';
import { taskInput, type TaskInput } from '../contracts/inputs.ts';
import { invalidInput } from '../contracts/errors.ts';
import { workflowId } from '../contracts/names.ts';
import type { TurnsAhead } from '../activities/execution.ts';
import type { TaskResult } from '../activities/task-outcome.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { rootCause } from './lib/failures.ts';
import { onceForTask } from './lib/once.ts';
import { createStory, type Story } from './lib/story.ts';
import { executionWorkflow } from './execution.ts';
import { io, oneTask } from './options.ts';

/**
 * One task, low latency: one activity validates, prepares, runs, scores and stores. An agent that asks the world for something
 * goes turn by turn, in a child. Started by the gateway and the dispatcher with `taskId`, or from the Temporal UI with
 * `{"taskType", "payload"}`, whose row the first activity writes.
 * A task that no attempt can run becomes a dead letter with its reason.
 */
export const taskWorkflow = defineWorkflow('taskWorkflow', 'run', taskInput, async (input): Promise<TaskResult> => {
  const { project } = input;
  const { taskId, story } =
    input.taskId === undefined ? await acceptFromUi(input) : { taskId: input.taskId, story: undefined };
  try {
    const executed = await activities(oneTask()).executeTask({ project, taskId });
    const result = executed.status === 'turns-ahead' ? await inTurns(project, taskId, executed) : executed;
    story?.now(describeResult(result), result.status);
    return result;
  } catch (error) {
    if (isCancellation(error)) throw error;
    const { code, message } = rootCause(error);
    await activities(io('dead letter')).buryTask({ project, taskId, code, reason: message });
    story?.now(`dead letter: ${message}`, 'dead');
    throw ApplicationFailure.nonRetryable(message, code, { taskId });
  }
});

/** The served version goes turn by turn; another one then runs on what the world has answered to that. */
async function inTurns(project: string, taskId: string, { executionId, shadow }: TurnsAhead): Promise<TaskResult> {
  const result = await onceForTask(project, taskId, () =>
    executeChild(executionWorkflow, {
      workflowId: workflowId.execution(project, executionId),
      // A task that was cancelled or driven again must find its execution ended.
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      args: [{ project, executionId }],
    }),
  );
  if (shadow) await activities(oneTask()).executeShadow({ project, taskId });
  return result;
}

function describeResult({ ordinal, status, reason, agentVersion }: TaskResult): string {
  const who = `task ${ordinal} by version ${agentVersion.slice(0, 8)}`;
  return reason === undefined ? `${status}: ${who}` : `${status}: ${who}, ${reason.code}: ${reason.message}`;
}

/** A task from the Temporal UI. Only such a run tells its story: to the low-latency path it would be a cost. */
async function acceptFromUi(input: TaskInput): Promise<{ taskId: string; story: Story }> {
  if (input.taskType === undefined || input.payload === undefined) {
    throw invalidInput('the input of taskWorkflow', [
      { path: '', message: 'give either taskId, or taskType and payload' },
    ]);
  }
  const story = createStory({ project: input.project, taskType: input.taskType, layer: 'execution' });
  story.now('accepting the task', 'accepting');
  const { taskId } = await activities(io('accept the task')).acceptTask({
    project: input.project,
    taskType: input.taskType,
    payload: input.payload,
    ...(input.key === undefined ? {} : { key: input.key }),
  });
  story.now('running the task', 'running');
  return { taskId, story };
}
