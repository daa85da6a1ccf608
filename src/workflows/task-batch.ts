import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import { taskBatchInput, type TaskBatchInput } from '../contracts/inputs.ts';
import type { ShardResult } from '../activities/execution.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { createStory } from './lib/story.ts';
import { io, shard } from './options.ts';

export interface BatchResult {
  batchId: string;
  executed: number;
  failed: number;
}

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
        .then((result: ShardResult) => {
          executed += result.executed;
          failed += result.failed;
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
