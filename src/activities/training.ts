import type { AdapterSpec } from '../contracts/adapters.ts';
import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { DatasetExample, JsonObject } from '../contracts/records.ts';
import { valueAt } from '../core/kpi/pointer.ts';
import { ADAPTER_VARIANTS, mergeOf } from '../core/training/adapter/variants.ts';
import { LINEAR_VARIANTS } from '../core/training/linear/spec.ts';
import type { TrainingData } from '../core/training/linear/trainer.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import { readDataset, typeOfDataset } from './datasets.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';
import { mergeWithPrevious } from './merge-adapters.ts';
import { textOf } from './model-scores.ts';
import { isAnswerSpec, planVariants, type PlanInput } from './plan-training.ts';
import { trainAdapterModel } from './train-adapter.ts';
import { trainAnswers } from './train-answers.ts';
import { trainLinear } from './train-linear.ts';
import type { LeftModel, LeftOut, ModelSummary, TrainedModel } from './training-types.ts';

export interface TrainingActivities {
  /**
   * The names of what is to be trained: what is asked for, else all linear variants, the adapters whose base model the project
   * has, each with its merges with the one that was trained before it on another dataset, and those that the caller specifies; of a
   * task type without labels only these. `CHIMERA_NOT_FOUND` names the known ones; what cannot be learned from the dataset is
   * refused as {@link planVariants} says.
   */
  planTraining(input: PlanInput): Promise<string[]>;
  /** Trains one variant, resuming from the last checkpoint, and registers it by content. A merge that cannot be made is left out. */
  trainModel(input: {
    project: string;
    taskType: string;
    datasetId: string;
    variant: string;
    seed: string;
    /** Of a variant that the caller specifies. */
    adapter?: AdapterSpec;
    /** Leave an adapter's training after so many steps: the next attempt goes on from there. */
    until?: number;
  }): Promise<ModelSummary | LeftModel | LeftOut>;
}

export function createTrainingActivities(deps: ActivityDeps): TrainingActivities {
  const { stores } = deps;
  return {
    planTraining: (input) => planVariants(stores, input),

    async trainModel({ project, taskType, datasetId, variant, seed, adapter, until }) {
      return heartbeating(async (signal, note) => {
        const type = await typeOfDataset(stores, project, datasetId, taskType);
        const examples = await readDataset(stores, project, datasetId);
        const hooks = { signal, note: (details: JsonObject) => note({ variant, ...details }) };
        const linear = LINEAR_VARIANTS.find(({ name }) => name === variant);
        const merge = mergeOf(variant);
        const spec = adapter ?? ADAPTER_VARIANTS.find(({ name }) => name === variant || name === merge?.adapter);
        if (linear === undefined && spec === undefined)
          throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'model variant', name: variant });
        if (linear === undefined && isAnswerSpec(spec!)) {
          const source = { type, datasetId, examples };
          const answering = await trainAnswers(deps, project, source, { ...spec, seed }, hooks, until);
          if ('left' in answering) return answering;
          failpoint('model.put');
          return register(project, taskType, datasetId, spec, answering);
        }
        const material = { type, datasetId, data: trainingData(type, examples) };
        if (merge !== undefined && spec?.name === merge.adapter) {
          const own = { spec: { ...spec, seed }, method: merge.method };
          const merged = await mergeWithPrevious(deps, project, material, own, hooks);
          if ('leftOut' in merged) return merged;
          return register(project, taskType, datasetId, { name: variant, price: spec.price }, merged);
        }
        const trained =
          linear === undefined
            ? await trainAdapterModel(deps, project, material, { ...spec!, seed }, hooks, until)
            : await trainLinear(deps, project, material, { ...linear, seed }, hooks);
        if ('left' in trained) return trained;
        failpoint('model.put');
        return register(project, taskType, datasetId, (linear ?? spec)!, trained);
      });
    },
  };

  async function register(
    project: string,
    taskType: string,
    dataset: string,
    { name, price }: { name: string; price: number },
    { run, artifact, spec, report, validation }: TrainedModel,
  ): Promise<ModelSummary> {
    const id = artifact.sha256;
    const details = { name, dataset };
    const audit = { type: 'model.trained', actor: `training/${run}`, subject: id, details };
    await stores.models.put(project, { id, name, taskType, artifact, price, dataset, spec, report }, audit);
    failpoint('model.row');
    // Nobody goes on from them, and whoever trains the same again, on another machine perhaps, must not be held to them.
    await stores.snapshots.prune(project, run, 0);
    return { id, name, price, validation, text: `model ${name}: ${told(validation)}, price ${price}` };
  }
}

function told(validation: ModelSummary['validation']): string {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  if ('balancedAccuracy' in validation)
    return `balanced accuracy ${percent(validation.balancedAccuracy)} on validation`;
  const { lossBefore, loss, accuracy } = validation;
  const fall = `validation loss ${lossBefore.toFixed(3)} before and ${loss.toFixed(3)} after`;
  return accuracy === undefined ? `${fall}, in nats a token` : `${fall}, ${percent(accuracy)} of preferences hold`;
}

/** What a classifier learns from a dataset: the text at the task type's pointer, and the right label. */
export function trainingData(type: TaskType, examples: readonly DatasetExample[]): TrainingData {
  const { scorer, text } = type;
  if (scorer.kind !== 'label' || text === undefined) {
    throw new ChimeraError('CHIMERA_NO_DATA', {
      why: `task type ${type.name} has no text pointer or no label scorer, so there is nothing that a text model could learn`,
    });
  }
  const part = (split: DatasetExample['split']) =>
    examples
      .filter((example) => example.split === split)
      .map((example) => ({
        text: textOf(type, example),
        label: String(valueAt(example.expected, scorer.pointer)),
      }));
  return { labels: scorer.labels, train: part('train'), validation: part('validation') };
}
