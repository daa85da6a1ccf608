import { workflowInfo } from '@temporalio/workflow';
import { discoveryInput } from '../contracts/inputs.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { createStory } from './lib/story.ts';
import { heavyIo } from './options.ts';

export interface DiscoveryResult {
  batchId: string;
  found: number;
  accepted: number;
  refused: { name: string; why: string }[];
}

/**
 * Reads a source (a directory of files, an mbox) and admits what it finds as one batch, in the order of the names: the
 * ordinals of its tasks have the order of the source. Reading it again admits what is new, as a batch of its own.
 */
export const discoveryWorkflow = defineWorkflow(
  'discoveryWorkflow',
  'run',
  discoveryInput,
  async (input): Promise<DiscoveryResult> => {
    const story = createStory({ project: input.project, taskType: input.taskType, layer: 'ingestion' });
    story.now(`reading ${input.source.kind} ${input.source.path}`, 'reading');
    const result = await activities(heavyIo(`read ${input.source.kind}`)).ingestSource({
      ...input,
      reading: workflowInfo().runId,
    });
    story.now(`${result.accepted} new of ${result.found} found, ${result.refused.length} refused`, 'done');
    for (const refusal of result.refused.slice(0, 20)) story.tell(`refused ${refusal.name}: ${refusal.why}`);
    return result;
  },
);
