import { executeChild, workflowInfo } from '@temporalio/workflow';
import type { AdapterSpec } from '../contracts/adapters.ts';
import { sweepInput } from '../contracts/inputs.ts';
import type { ModelSummary } from '../activities/training-types.ts';
import { betterHalf, roundSteps, sweepCandidates, type SweepCandidate } from '../core/training/adapter/halving.ts';
import { defineWorkflow } from './lib/define.ts';
import { rootCause } from './lib/failures.ts';
import { createStory } from './lib/story.ts';
import { trainingWorkflow } from './training.ts';

/** A candidate after a round. */
export interface SweepTrial extends SweepCandidate {
  step: number;
  /** On the validation examples, in nats; absent where the training diverged. */
  loss?: number;
}

export interface SweepResult {
  /** The one with the lowest validation loss, trained to its end. */
  best: SweepCandidate;
  model: ModelSummary;
  /** What was tried, round by round. */
  rounds: SweepTrial[][];
}

/**
 * Looks for the learning rate and the rank of an adapter by successive halving: all candidates train a little, the better half of
 * them goes on from its checkpoints for twice as long, and so on; the last one is trained to its end and registered. Each training
 * is a child, so that as many run at a time as there are devices.
 */
export const sweepWorkflow = defineWorkflow('sweepWorkflow', 'run', sweepInput, async (input): Promise<SweepResult> => {
  const { project, taskType, seed, datasetId, deviceClass, adapter, learningRates, leaseMs } = input;
  const story = createStory({ project, taskType, layer: 'evolution' });
  const train = (candidate: SweepCandidate, until?: number) => {
    const { name, learningRate, rank } = candidate;
    const spec: AdapterSpec = { ...adapter, name, learningRate, rank };
    return executeChild(trainingWorkflow, {
      workflowId: `${workflowInfo().workflowId}/${name}/${until ?? 'end'}`,
      staticSummary: `${name}: learning rate ${learningRate}, rank ${rank}${until === undefined ? '' : `, to step ${until}`}`,
      args: [
        {
          ...{ project, taskType, seed, datasetId, deviceClass, leaseMs },
          ...{ variants: [name], adapters: [spec] },
          ...(until === undefined ? {} : { until }),
        },
      ],
    });
  };

  const all = sweepCandidates(adapter, learningRates, input.ranks ?? [adapter.rank]);
  const ends = roundSteps(adapter.steps, all.length).slice(0, -1);
  const rounds: SweepTrial[][] = [];
  let candidates: readonly SweepCandidate[] = all;
  for (const until of ends) {
    story.now(`training ${candidates.length} candidates to step ${until}`, 'training');
    const trials = await Promise.all(
      candidates.map(async (candidate): Promise<SweepTrial> => {
        try {
          const { left } = await train(candidate, until);
          return { ...candidate, ...left![candidate.name]! };
        } catch (error) {
          // A rate that is too high is what a sweep is to find out.
          if (rootCause(error).code !== 'CHIMERA_DIVERGED') throw error;
          story.tell(`${candidate.name} diverged`);
          return { ...candidate, step: until };
        }
      }),
    );
    rounds.push(trials);
    const kept = betterHalf(trials);
    candidates = all.filter(({ name }) => kept.some((trial) => trial.name === name));
    story.tell(`to step ${until}: ${candidates.map(({ name }) => name).join(', ')} of ${trials.length} go on`);
  }
  const best = candidates[0]!;
  story.now(`training ${best.name} to its end`, 'training');
  const { models } = await train(best);
  const model = models[0]!;
  story.tell(model.text);
  story.now(`learning rate ${best.learningRate} and rank ${best.rank}`, 'done');
  return { best, model, rounds };
});
