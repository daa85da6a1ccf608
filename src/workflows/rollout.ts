import { CancellationScope, continueAsNew, isCancellation, workflowInfo } from '@temporalio/workflow';
import { rolloutInput, type RolloutInput } from '../contracts/inputs.ts';
import type { RolloutResult } from '../activities/rollout.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { createStory } from './lib/story.ts';
import { io, waiting } from './options.ts';

/**
 * Proves a challenger on live traffic: shadow, then canary, decided on paired runs by an e-process; promotes it, or rolls
 * it back at the cap or on harm. The rollout's state is a row, so a run that continues as new goes on where it was.
 * Cancelling rolls back.
 */
export const rolloutWorkflow = defineWorkflow(
  'rolloutWorkflow',
  'run',
  rolloutInput,
  async (input): Promise<RolloutResult> => {
    const { project, taskType } = input;
    const story = createStory({ project, taskType, layer: 'evolution' });
    const rollout = await activities(io('begin the rollout')).startRollout({
      ...input,
      // The same for every run of a continue-as-new chain, and for no other rollout.
      purpose: workflowInfo().workflowId,
    });
    story.tell(rollout.text);
    try {
      for (;;) {
        const step = await activities(waiting('follow the paired runs')).advanceRollout({
          project,
          rollout: rollout.id,
          waitMs: input.pollMs,
        });
        story.now(step.text, step.stage);
        if (step.moved) story.tell(step.text);
        if (step.decided) break;
        if (workflowInfo().continueAsNewSuggested) {
          await continueAsNew<(state: RolloutInput) => Promise<RolloutResult>>(input);
        }
      }
    } catch (error) {
      if (isCancellation(error)) {
        await CancellationScope.nonCancellable(() =>
          activities(io('roll back')).abortRollout({ project, rollout: rollout.id, reason: 'cancelled' }),
        );
      }
      throw error;
    }
    const result = await activities(io('carry out the decision')).finishRollout({ project, rollout: rollout.id });
    story.now(result.text, 'done');
    return result;
  },
);
