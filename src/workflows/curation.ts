import { curationInput } from '../contracts/inputs.ts';
import type { DatasetSummary } from '../activities/curation.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { createStory } from './lib/story.ts';
import { heavyIo } from './options.ts';

/** Cuts a dataset version from the resolved stream: golden samples and feedback, without duplicates, redacted and split. */
export const curationWorkflow = defineWorkflow(
  'curationWorkflow',
  'run',
  curationInput,
  async (input): Promise<DatasetSummary> => {
    const story = createStory({ project: input.project, taskType: input.taskType, layer: 'curation' });
    story.now('curating', 'curating');
    const dataset = await activities(heavyIo('cut a dataset version')).curate(input);
    story.now(dataset.text, 'done');
    return dataset;
  },
);
