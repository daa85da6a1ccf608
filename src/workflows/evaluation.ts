import { evaluationInput } from '../contracts/inputs.ts';
import type { EvaluationSummary } from '../activities/evaluation.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { createStory } from './lib/story.ts';
import { shard } from './options.ts';

/** Runs agent versions on one split of a dataset, the same examples each, and reports quality and cost with intervals. */
export const evaluationWorkflow = defineWorkflow(
  'evaluationWorkflow',
  'run',
  evaluationInput,
  async (input): Promise<EvaluationSummary> => {
    const story = createStory({ project: input.project, taskType: input.taskType, layer: 'evolution' });
    story.now(`evaluating ${input.agentVersions.length} versions on ${input.split}`, 'evaluating');
    const summary = await activities(shard(`evaluate on ${input.split}`)).evaluateAgents(input);
    for (const line of summary.text) story.tell(line);
    story.now('evaluated', 'done');
    return summary;
  },
);
