import { servedExecutionId } from '../contracts/executions.ts';
import type { TaskRecord } from '../contracts/records.ts';
import type { BatchView, TaskView } from '../client/types.ts';
import type { BatchRecord, Stores } from '../stores/index.ts';
import { executionLink } from './execution-views.ts';

/** A task with what became of it. */
export async function viewTask(stores: Stores, task: TaskRecord): Promise<TaskView> {
  const { project, taskId } = task;
  const [long, executions, feedback, letters] = await Promise.all([
    task.state === 'accepted' ? undefined : stores.longExecutions.get(project, servedExecutionId(taskId)),
    task.state === 'accepted' ? [] : stores.executions.forTask(project, taskId),
    stores.feedback.forTask(project, taskId),
    task.state === 'dead' ? stores.deadLetters.list(project, { taskType: task.taskType }) : [],
  ]);
  const served = executions.find(({ role }) => role === 'served');
  const letter = letters.find((candidate) => candidate.taskId === taskId);
  const reason = letter === undefined ? served?.reason : { code: letter.code, message: letter.reason };
  return {
    ...freshView(task),
    ...(served === undefined ? {} : { version: served.agentVersion, fuel: served.fuel, modelCalls: served.modelCalls }),
    ...(served?.output === undefined ? {} : { output: served.output }),
    ...(reason === undefined ? {} : { reason }),
    ...(long === undefined
      ? {}
      : { execution: { executionId: long.executionId, link: executionLink(long.executionId) } }),
    feedback: feedback.map(({ id, feedback: given, late, receivedAt }) => ({ id, feedback: given, late, receivedAt })),
  };
}

/** A task that has just been accepted: nothing became of it yet. */
export function freshView(task: TaskRecord): TaskView {
  const { taskId, taskType, taskTypeVersion, key, ordinal, state, routing, priority, batchId, acceptedAt } = task;
  return {
    taskId,
    taskType,
    taskTypeVersion,
    key,
    ordinal,
    state,
    routing,
    priority,
    ...(batchId === undefined ? {} : { batchId }),
    acceptedAt,
    feedback: [],
  };
}

export function isResolved({ state }: Pick<TaskRecord, 'state'>): boolean {
  return state === 'completed' || state === 'failed' || state === 'dead';
}

/** A batch with its progress, read without payloads. */
export async function viewBatch(stores: Stores, batch: BatchRecord): Promise<BatchView> {
  const { project, batchId, taskType, key, createdAt, state, count, first, last } = batch;
  // Of its own tasks: a line whose key was in use already is a task of another batch, or of none.
  let own = 0;
  let resolved = 0;
  let failed = 0;
  if (first !== undefined && last !== undefined) {
    const tasks = await stores.tasks.summaries(project, taskType, first, last + 1);
    for (const task of tasks) {
      if (task.batchId !== batchId) continue;
      own += 1;
      if (!isResolved(task)) continue;
      resolved += 1;
      if (task.state !== 'completed') failed += 1;
    }
  }
  return {
    batchId,
    taskType,
    key,
    createdAt,
    state,
    count,
    ...(first === undefined ? {} : { firstOrdinal: first }),
    ...(last === undefined ? {} : { lastOrdinal: last }),
    resolved,
    failed,
    done: state === 'completed' || (state === 'closed' && resolved === own),
  };
}
