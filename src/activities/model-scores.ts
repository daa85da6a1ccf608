import type { DatasetExample, JsonObject, ModelRecord } from '../contracts/records.ts';
import { classificationReport } from '../core/kpi/confusion.ts';
import { valueAt } from '../core/kpi/pointer.ts';
import { loadLinearModel } from '../core/training/linear/model.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { ModelAnswer } from '../fabric/index.ts';
import type { ActivityDeps } from './deps.ts';
import type { LabelValidation, Material } from './training-types.ts';

type Deps = Pick<ActivityDeps, 'stores' | 'learning'>;

/** An adapter's specification says what it is; a linear model's needs no word for it. */
export const isAdapterSpec = (spec: JsonObject): boolean => spec['kind'] === 'adapter';

/** Can a model be asked for labels? A decoder's adapter answers in words of its own. */
export const givesLabels = (spec: JsonObject): boolean => !isAdapterSpec(spec) || spec['task'] === 'classification';

/** Texts that are asked about at a time: between two, a cancellation is heard. */
const CHUNK = 256;

/** What a model that {@link givesLabels} says to texts, whatever kind it is: the probability of each label, in the order of the texts. */
export async function scoreTexts(
  { stores, learning }: Deps,
  { artifact, spec }: Pick<ModelRecord, 'artifact' | 'spec'>,
  texts: readonly string[],
  signal?: AbortSignal,
): Promise<ModelAnswer[]> {
  if (!isAdapterSpec(spec)) {
    const model = loadLinearModel(await stores.artifacts.get(artifact));
    return texts.map((text) => ({ labels: model.labels, scores: [...model.score(text)] }));
  }
  const answers: ModelAnswer[] = [];
  for (let at = 0; at < texts.length; at += CHUNK) {
    signal?.throwIfAborted();
    answers.push(...(await learning.ask(artifact.sha256, texts.slice(at, at + CHUNK), signal)));
  }
  return answers;
}

/** The text that a task type's models read. */
export const textOf = (type: TaskType, { payload }: Pick<DatasetExample, 'payload'>): string =>
  String(valueAt(payload, type.text!) ?? '');

/** How well a model answers the validation split of what it is trained on. */
export async function validated(
  deps: Deps,
  { type, data }: Material,
  model: Pick<ModelRecord, 'artifact' | 'spec'>,
  signal?: AbortSignal,
): Promise<LabelValidation> {
  const texts = data.validation.map(({ text }) => text);
  const expected = data.validation.map(({ label }) => label);
  return judgeScores(type, data.labels, expected, await scoreTexts(deps, model, texts, signal));
}

/** How well answers hold: what is told of every model. */
export function judgeScores(
  type: TaskType,
  labels: readonly string[],
  expected: readonly string[],
  answers: readonly ModelAnswer[],
): LabelValidation {
  const pairs = answers.map(({ labels: own, scores }, i) => ({
    expected: expected[i]!,
    predicted: own[scores.indexOf(Math.max(...scores))],
  }));
  const report = classificationReport(pairs, { labels, seed: type.name, replicates: 200 });
  return { accuracy: report.accuracy.estimate, balancedAccuracy: report.balancedAccuracy.estimate };
}
