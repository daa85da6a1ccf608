import { continueAsNew, executeChild, isCancellation, workflowInfo } from '@temporalio/workflow';
import { taskBatchInput, type TaskBatchInput } from '../contracts/inputs.ts';
import { workflowId } from '../contracts/names.ts';
import type { ShardResult } from '../activities/execution.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { onceForTask } from './lib/once.ts';
import { createStory } from './lib/story.ts';
import { io, shard } from './options.ts';
import { taskWorkflow } from './task.ts';

export interface BatchResult {
  batchId: string;
  executed: number;
  failed: number;
}

/** Long executions of one shard that are under way at once. */
const LONG_AT_ONCE = 16;

/**
 * Many tasks: a sliding window of sharded activities over the ordinals of the batch. A shard resumes inside itself, the
 * batch continues as new between shards, and the history stays bounded for any number of tasks.
 */
export const taskBatchWorkflow = defineWorkflow(
  'taskBatchWorkflow',
  'run',
  taskBatchInput,
  async (input): Promise<BatchResult> => {
    const { project, batchId } = input;
    const plan = await activities(io('read the batch')).planBatch({ project, batchId });
    const story = createStory({ project, taskType: plan.taskType, layer: 'distribution' });
    let next = input.nextOrdinal ?? plan.firstOrdinal;
    let executed = input.executed;
    let failed = input.failed;
    const inFlight = new Set<Promise<void>>();
    const start = (from: number, to: number): void => {
      const running: Promise<void> = activities(shard(`tasks ${from} to ${to - 1}`))
        .executeShard({ project, batchId, taskType: plan.taskType, from, to })
        .then(async (result: ShardResult) => {
          executed += result.executed;
          failed += result.failed;
          const ahead = await inTurns(project, result.ahead ?? []);
          executed += ahead.executed;
          failed += ahead.failed;
          inFlight.delete(running);
          story.now(`${executed} of ${plan.count} tasks executed, ${failed} failed`, 'running');
        });
      inFlight.add(running);
    };
    while (next < plan.endOrdinal && !workflowInfo().continueAsNewSuggested) {
      start(next, Math.min(next + input.shardSize, plan.endOrdinal));
      next = Math.min(next + input.shardSize, plan.endOrdinal);
      if (inFlight.size >= input.window) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
    if (next < plan.endOrdinal) {
      return continueAsNew<(state: TaskBatchInput) => Promise<BatchResult>>({
        ...input,
        nextOrdinal: next,
        executed,
        failed,
      });
    }
    await activities(io('close the batch')).completeBatch({ project, batchId });
    story.now(`done: ${executed} tasks executed, ${failed} failed`, 'done');
    return { batchId, executed, failed };
  },
);

/** Tasks that go turn by turn, some at a time. One that becomes a dead letter counts as failed. */
async function inTurns(project: string, taskIds: readonly string[]): Promise<{ executed: number; failed: number }> {
  let executed = 0;
  let failed = 0;
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < taskIds.length) {
      const taskId = taskIds[next++]!;
      try {
        const id = workflowId.task(project, taskId);
        const { status } = await onceForTask(project, taskId, () =>
          executeChild(taskWorkflow, { workflowId: id, args: [{ project, taskId }] }),
        );
        executed++;
        if (status === 'failed') failed++;
      } catch (error) {
        if (isCancellation(error)) throw error;
        failed++;
      }
    }
  };
  await Promise.all(Array.from({ length: LONG_AT_ONCE }, lane));
  return { executed, failed };
}
