import { continueAsNew, ParentClosePolicy, startChild, workflowInfo } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { streamMonitorInput, type StreamMonitorInput } from '../contracts/inputs.ts';
import { workflowId, WORKFLOWS } from '../contracts/names.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { createStory } from './lib/story.ts';
import { waiting } from './options.ts';

/**
 * Watches one (project, task type) stream for ever: consumes it in the order of its ordinals up to the watermark, scores
 * what feedback has joined, keeps the windows, and tests for drift. With `startCycles` a drift starts a cycle.
 */
export const streamMonitorWorkflow = defineWorkflow(
  'streamMonitorWorkflow',
  'entity',
  streamMonitorInput,
  async (input): Promise<never> => {
    const { project, taskType } = input;
    const story = createStory({ project, taskType, layer: 'kpi' });
    story.now('waiting for tasks', 'watching');
    for (;;) {
      const step = await activities(waiting('follow the stream')).advanceStream({
        project,
        taskType,
        waitMs: input.pollMs,
      });
      story.now(step.text, step.drift === undefined ? 'watching' : 'drift');
      if (step.drift !== undefined) {
        story.tell(step.drift.text);
        if (input.startCycles) await startCycle(input, story.tell);
      }
      if (workflowInfo().continueAsNewSuggested) {
        await continueAsNew<(state: StreamMonitorInput) => Promise<never>>(input);
      }
    }
  },
);

async function startCycle(input: StreamMonitorInput, tell: (line: string) => void): Promise<void> {
  const id = workflowId.evolutionCycle(input.project, input.taskType);
  try {
    await startChild(WORKFLOWS.evolutionCycle, {
      workflowId: id,
      args: [{ project: input.project, taskType: input.taskType }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
    tell(`started a cycle: ${id}`);
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    tell('a cycle is running already');
  }
}
