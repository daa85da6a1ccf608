import type { Client } from '@temporalio/client';
import { readEvaluation, type EvaluationDocument } from '../../activities/evaluation.ts';
import { prefixed, TASK_QUEUES, workflowId, WORKFLOWS } from '../../contracts/names.ts';
import type { DatasetExample } from '../../contracts/records.ts';
import { hashOf } from '../../core/canonical/canonical.ts';
import { writeJsonLines } from '../../core/canonical/json-lines.ts';
import { createPreprocessor } from '../../core/validation/preprocess/pipeline.ts';
import type { Stores } from '../../stores/index.ts';
import type { DemoExample, ExampleItem } from './example.ts';

/** Stores tasks that nobody learned from as a dataset of its own, so that an evaluation can open it once. */
export async function storeJudge(
  stores: Stores,
  project: string,
  { taskType }: DemoExample,
  items: readonly ExampleItem[],
  purpose = 'judged once, never served, never learned from',
): Promise<string> {
  const prepare = createPreprocessor(taskType.preprocess, taskType.features);
  const examples: DatasetExample[] = [];
  for (const [ordinal, { id, payload, expected }] of items.entries()) {
    const { payload: prepared, features } = await prepare(payload);
    examples.push({ ordinal, taskId: id, split: 'test', payload: prepared, features: [...features], expected });
  }
  const artifact = await stores.artifacts.put(writeJsonLines(examples), { kind: 'dataset' });
  const id = hashOf({ judge: artifact.sha256 });
  await stores.datasets.put(
    project,
    {
      id,
      // Not the task type's own: the newest dataset of that one tells a cycle what it has learned from.
      taskType: `${taskType.name}/judge`,
      artifact,
      counts: { train: 0, validation: 0, test: examples.length },
      uptoOrdinal: 0,
      datasheet: { purpose },
    },
    { type: 'dataset.created', actor: 'demo', subject: id, details: { judge: true } },
  );
  return id;
}

/** Judges the versions on that dataset; asking again reads the same judgement. */
export async function judge(
  stores: Stores,
  temporal: Client,
  project: string,
  taskType: string,
  datasetId: string,
  agentVersions: readonly string[],
  queuePrefix = '',
): Promise<EvaluationDocument> {
  const name = hashOf({ datasetId, agentVersions }).slice(0, 16);
  const { id } = (await temporal.workflow.execute(WORKFLOWS.evaluation, {
    workflowId: workflowId.child('judge', project, taskType, name),
    taskQueue: prefixed(queuePrefix, TASK_QUEUES.workflows),
    args: [{ project, taskType, datasetId, split: 'all', agentVersions: [...agentVersions] }],
    staticSummary: 'opens the judge data, once',
  })) as { id: string };
  return readEvaluation(stores, project, id);
}
