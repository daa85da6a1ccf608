import { defineQuery, setHandler } from '@temporalio/workflow';
import { trainingInput } from '../contracts/inputs.ts';
import { QUERIES } from '../contracts/messages.ts';
import type { ModelSummary } from '../activities/training.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { waitForWorker } from './lib/device.ts';
import { withLease } from './lib/lease.ts';
import { createStory } from './lib/story.ts';
import { io, onDevice } from './options.ts';

export interface TrainingResult {
  models: ModelSummary[];
}

export const trainingProgressQuery = defineQuery<ModelSummary[]>(QUERIES.progress);

/**
 * Trains every variant on one dataset version, one after another, on a device queue under a lease. Each training
 * heartbeats, checkpoints and resumes exactly; the trained models are registered by content.
 */
export const trainingWorkflow = defineWorkflow(
  'trainingWorkflow',
  'run',
  trainingInput,
  async (input): Promise<TrainingResult> => {
    const { project, taskType, datasetId, deviceClass, seed } = input;
    const story = createStory({ project, taskType, layer: 'evolution' });
    const models: ModelSummary[] = [];
    setHandler(trainingProgressQuery, () => models);
    const variants = await activities(io('plan the training')).planTraining(
      input.variants === undefined ? {} : { variants: input.variants },
    );
    const purpose = `train ${variants.length} variants for ${taskType}`;
    await withLease({ project, deviceClass, priority: 3, maxMs: input.leaseMs, purpose }, story, async () => {
      await waitForWorker(deviceClass, story);
      for (const variant of variants) {
        story.now(`training ${variant} (${models.length + 1} of ${variants.length})`, 'training');
        const model = await activities(onDevice(deviceClass, `train ${variant}`)).trainModel({
          project,
          taskType,
          datasetId,
          variant,
          seed,
        });
        models.push(model);
        story.tell(model.text);
      }
    });
    story.now(`${models.length} models trained`, 'done');
    return { models };
  },
);
