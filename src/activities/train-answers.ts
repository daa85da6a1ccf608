import type { AdapterSpec } from '../contracts/adapters.ts';
import type { DatasetExample, JsonObject } from '../contracts/records.ts';
import { answersOf, type AnswerTask } from '../core/training/adapter/answers.ts';
import type { BaseLocation } from '../learning/bases.ts';
import type { Look } from '../learning/training/types.ts';
import { answerExamples } from './answer-examples.ts';
import { runTraining } from './train-adapter.ts';
import type { AnswerValidation, RunHooks, Source, TrainedModel } from './training-types.ts';

/**
 * Trains a decoder's adapter, from its last checkpoint on. It gives no labels: it is judged by how well it foresees right answers, beside
 * what its base does.
 */
export async function trainAnswers(
  deps: Parameters<typeof runTraining>[0],
  project: string,
  { type, datasetId, examples }: Source,
  spec: AdapterSpec & { task: AnswerTask },
  hooks: RunHooks,
  until?: number,
): Promise<TrainedModel<AnswerValidation> | { left: Look }> {
  const part = (split: DatasetExample['split']) =>
    answersOf(
      type,
      examples.filter((example) => example.split === split),
      spec,
    );
  const examplesFor = async (base: BaseLocation) => ({
    labels: [],
    train: await answerExamples(base, part('train')),
    validation: await answerExamples(base, part('validation')),
  });
  const learned = await runTraining(deps, project, { datasetId, spec, examplesFor }, hooks, until);
  if ('left' in learned) return learned;
  const { run, artifact, trained, report } = learned;
  const { loss, accuracy } = trained.after;
  const validation = { loss, lossBefore: trained.before!.loss, ...(accuracy === undefined ? {} : { accuracy }) };
  const document = spec as unknown as JsonObject;
  return { ...{ run, artifact, validation }, spec: document, report: { validation, ...report } };
}
