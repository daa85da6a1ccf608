import {
  CancellationScope,
  executeChild,
  isCancellation,
  workflowInfo,
  type ChildWorkflowOptions,
} from '@temporalio/workflow';
import { evolutionCycleInput, type EvolutionCycleInput } from '../contracts/inputs.ts';
import { workflowId } from '../contracts/names.ts';
import type { CycleReportInput } from '../activities/cycle-report.ts';
import type { CycleResult } from '../activities/cycle.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { rootCause } from './lib/failures.ts';
import { createStory, type Story } from './lib/story.ts';
import { curationWorkflow } from './curation.ts';
import { evaluationWorkflow } from './evaluation.ts';
import { evolutionWorkflow } from './evolution.ts';
import { rolloutWorkflow } from './rollout.ts';
import { trainingWorkflow } from './training.ts';
import { heavyIo, io } from './options.ts';

/**
 * One turn of the loop: decide whether to act, curate, train, evolve, judge the finalists on data no generation saw, gate,
 * prove the challenger on live traffic, report. `{"taskType": "mail-triage"}` is all it needs.
 */
export const evolutionCycleWorkflow = defineWorkflow(
  'evolutionCycleWorkflow',
  'run',
  evolutionCycleInput,
  async (input): Promise<CycleResult> => {
    const { project, taskType } = input;
    const story = createStory({ project, taskType, layer: 'evolution' });
    story.now('deciding whether to act', 'deciding');
    const cycle = await activities(io('decide whether to act')).decideCycle({
      project,
      taskType,
      seed: input.seed,
      force: input.force,
      minimumExamples: input.minimumExamples,
      startedBy: workflowInfo().workflowId,
      run: workflowInfo().runId,
    });
    story.tell(cycle.reason);
    if (!cycle.act) {
      story.now(`nothing to do: ${cycle.reason}`, 'done');
      return { cycle: cycle.id, outcome: 'idle', text: cycle.reason };
    }
    try {
      return await turn(input, cycle.id, cycle.uptoOrdinal, cycle.reason, story);
    } catch (error) {
      const cancelled = isCancellation(error);
      const why = cancelled ? 'cancelled' : rootCause(error).message;
      await CancellationScope.nonCancellable(() =>
        activities(io('close the cycle')).closeCycle({
          project,
          cycle: cycle.id,
          status: cancelled ? 'cancelled' : 'failed',
          text: why,
        }),
      );
      throw error;
    }
  },
);

/** What every step of a cycle shares. */
function child(
  step: string,
  input: EvolutionCycleInput,
  cycle: string,
): Pick<ChildWorkflowOptions, 'workflowId' | 'staticSummary'> {
  return {
    workflowId: workflowId.child(step, input.project, input.taskType, cycle),
    staticSummary: `${step} for ${input.taskType}`,
  };
}

async function turn(
  input: EvolutionCycleInput,
  cycle: string,
  uptoOrdinal: number,
  reason: string,
  story: Story,
): Promise<CycleResult> {
  const { project, taskType, seed } = input;
  const seconds: Record<string, number> = {};
  const timed = async <R>(step: string, run: () => Promise<R>): Promise<R> => {
    const start = Date.now();
    const result = await run();
    seconds[step] = (Date.now() - start) / 1000;
    return result;
  };
  const report: CycleReportInput = { project, taskType, cycle, reason, seconds };
  const close = async (outcome: CycleResult['outcome'], text: string): Promise<CycleResult> => {
    story.now('writing the report', 'reporting');
    const result = await activities(heavyIo('write the report')).reportCycle({ ...report, outcome, text });
    story.tell(`the report: /v1/reports/${cycle} of the API`);
    story.now(text, 'done');
    return result;
  };

  story.now('curating a dataset from the resolved stream', 'curating');
  const dataset = await timed('curation', () =>
    executeChild(curationWorkflow, {
      ...child('curation', input, cycle),
      args: [
        {
          project,
          taskType,
          seed,
          uptoOrdinal,
          minimumExamples: input.minimumExamples,
          shuffleLabels: input.shuffleLabels,
        },
      ],
    }),
  );
  report.dataset = dataset.id;
  story.tell(dataset.text);

  story.now('training models', 'training');
  const training = await timed('training', () =>
    executeChild(trainingWorkflow, {
      ...child('training', input, cycle),
      args: [
        {
          project,
          taskType,
          seed,
          datasetId: dataset.id,
          deviceClass: input.deviceClass,
          ...(input.variants === undefined ? {} : { variants: input.variants }),
        },
      ],
    }),
  );
  for (const model of training.models) story.tell(model.text);

  story.now('evolving agents', 'evolving');
  const search = await timed('evolution', () =>
    executeChild(evolutionWorkflow, {
      ...child('evolution', input, cycle),
      args: [
        {
          project,
          taskType,
          seed,
          datasetId: dataset.id,
          modelIds: training.models.map((model) => model.id),
          population: input.population,
          generations: input.generations,
          plateau: input.plateau,
          shards: input.shards,
        },
      ],
    }),
  );
  report.search = search.id;
  story.tell(search.text);

  story.now('judging the finalists on data no generation saw', 'judging');
  const evaluation = await timed('evaluation', () =>
    executeChild(evaluationWorkflow, {
      ...child('evaluation', input, cycle),
      args: [
        {
          project,
          taskType,
          seed,
          datasetId: dataset.id,
          split: 'test',
          agentVersions: [search.champion, ...search.finalists],
        },
      ],
    }),
  );
  report.evaluation = evaluation.id;
  for (const [i, line] of evaluation.text.entries()) story.tell(`${i === 0 ? 'champion' : `finalist ${i}`} ${line}`);
  const gate = await activities(io('safety gate')).gateFinalists({
    project,
    taskType,
    champion: search.champion,
    finalists: search.finalists,
    evaluation: evaluation.id,
  });
  report.gate = gate;
  story.tell(gate.text);
  for (const { name, passed, detail } of gate.checks) if (!passed) story.tell(`not met: ${name} (${detail})`);
  if (gate.challenger === undefined) return close('kept', `kept the champion: ${gate.text}`);
  const challenger = gate.challenger;

  story.now('proving the challenger on live traffic', 'rollout');
  const rollout = await timed('rollout', () =>
    executeChild(rolloutWorkflow, {
      ...child('rollout', input, cycle),
      args: [{ project, taskType, seed, challenger, ...input.rollout }],
    }),
  );
  report.rollout = rollout.id;
  story.tell(rollout.text);
  return close(rollout.promoted ? 'promoted' : 'rolled-back', rollout.text);
}
