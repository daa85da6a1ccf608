import { CancellationScope, isCancellation } from '@temporalio/workflow';
import { evolutionInput, type EvolutionInput } from '../contracts/inputs.ts';
import type { SearchHandle } from '../activities/evolution.ts';
import type { SearchResult } from '../activities/search-material.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { createStory, type Story } from './lib/story.ts';
import { heavyIo, io, shard } from './options.ts';

/**
 * Evolves agents on a dataset: ask for a generation, evaluate it in shards, tell the results, until a stop rule holds.
 * The search's state is an artifact; this workflow holds its reference only. Cancelling it keeps the archive so far.
 */
export const evolutionWorkflow = defineWorkflow(
  'evolutionWorkflow',
  'run',
  evolutionInput,
  async (input): Promise<SearchResult> => {
    const { project, taskType } = input;
    const story = createStory({ project, taskType, layer: 'evolution' });
    story.now('preparing the search', 'preparing');
    const search = await activities(heavyIo('prepare the search')).startSearch(input);
    story.tell(search.text);
    try {
      const result = await generations(input, search, story);
      story.now(result.text, 'done');
      return result;
    } catch (error) {
      const status = isCancellation(error) ? 'cancelled' : 'failed';
      await CancellationScope.nonCancellable(() =>
        activities(io('close the search')).closeSearch({ project, search: search.id, status }),
      );
      throw error;
    }
  },
);

async function generations(input: EvolutionInput, search: SearchHandle, story: Story): Promise<SearchResult> {
  const { project } = input;
  let state = search.state;
  for (;;) {
    const generation = await activities(heavyIo('ask for candidates')).askGeneration({
      project,
      search: search.id,
      state,
    });
    if (generation.stop !== undefined) {
      story.tell(`stopped: ${generation.stop}`);
      break;
    }
    story.now(`generation ${generation.number}: evaluating ${generation.candidates} candidates`, 'searching');
    const results = await Promise.all(
      Array.from({ length: input.shards }, (_, index) =>
        activities(shard(`generation ${generation.number}, shard ${index + 1} of ${input.shards}`)).evaluateShard({
          project,
          search: search.id,
          asked: generation.asked,
          shard: index,
          of: input.shards,
        }),
      ),
    );
    const told = await activities(heavyIo('tell the results')).tellGeneration({
      project,
      search: search.id,
      state,
      asked: generation.asked,
      results,
    });
    state = told.state;
    story.tell(told.text);
  }
  return activities(heavyIo('publish the finalists')).finishSearch({
    project,
    search: search.id,
    state,
  });
}
