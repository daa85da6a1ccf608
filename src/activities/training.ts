import type { AdapterSpec } from '../contracts/adapters.ts';
import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { DatasetExample, JsonObject } from '../contracts/records.ts';
import { valueAt } from '../core/kpi/pointer.ts';
import { ADAPTER_VARIANTS, MERGE_METHODS, mergeName, mergeOf } from '../core/training/adapter/variants.ts';
import { LINEAR_VARIANTS } from '../core/training/linear/spec.ts';
import type { TrainingData } from '../core/training/linear/trainer.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import { readDataset, typeOfDataset } from './datasets.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';
import { adapterBefore, mergeWithPrevious } from './merge-adapters.ts';
import { textOf } from './model-scores.ts';
import { trainAdapterModel } from './train-adapter.ts';
import { trainLinear } from './train-linear.ts';
import type { LeftModel, LeftOut, ModelSummary, TrainedModel } from './training-types.ts';

export interface TrainingActivities {
  /**
   * The names of what is to be trained: what is asked for, else all linear variants, the adapters whose base model the project
   * has, each with its merges with the one that was trained before it on another dataset, and those that the caller specifies.
   * `CHIMERA_NOT_FOUND` names the known ones.
   */
  planTraining(input: {
    project?: string;
    taskType?: string;
    datasetId?: string;
    variants?: string[];
    adapters?: AdapterSpec[];
  }): Promise<string[]>;
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
  const isThere = async (project: string, { base }: AdapterSpec): Promise<boolean> =>
    (await stores.baseModels.get(project, base)) !== undefined;

  return {
    async planTraining({ project, taskType, datasetId, variants, adapters = [] }) {
      const specs = [...adapters, ...ADAPTER_VARIANTS];
      const linear = LINEAR_VARIANTS.map(({ name }) => name);
      const known = [...linear, ...specs.map(({ name }) => name)];
      const unknown = (variants ?? []).filter((name) => !known.includes(name));
      if (unknown.length > 0) {
        throw new ChimeraError('CHIMERA_NOT_FOUND', {
          what: `model variant (known: ${known.join(', ')})`,
          name: unknown.join(', '),
        });
      }
      const wanted = specs.filter(({ name }) => variants?.includes(name) ?? true);
      const present = await Promise.all(
        wanted.map((spec) => (project === undefined ? Promise.resolve(false) : isThere(project, spec))),
      );
      const missing = wanted.filter((spec, i) => !present[i] && (variants !== undefined || adapters.includes(spec)));
      if (missing.length > 0) {
        throw new ChimeraError('CHIMERA_NOT_FOUND', {
          what: 'base model in this project (chimera models pull fetches it)',
          name: [...new Set(missing.map(({ base }) => base))].join(', '),
        });
      }
      if (variants !== undefined) return variants;
      const names = wanted.filter((_, i) => present[i]).map(({ name }) => name);
      return [...linear, ...names, ...(await mergesOf(names))];

      async function mergesOf(trained: readonly string[]): Promise<string[]> {
        if (project === undefined || taskType === undefined) return [];
        const before = await Promise.all(
          trained.map((name) => adapterBefore(stores, project, taskType, name, datasetId)),
        );
        const again = trained.filter((_, i) => before[i] !== undefined);
        return again.flatMap((name) => MERGE_METHODS.map((method) => mergeName(name, method)));
      }
    },

    async trainModel({ project, taskType, datasetId, variant, seed, adapter, until }) {
      return heartbeating(async (signal, note) => {
        const type = await typeOfDataset(stores, project, datasetId, taskType);
        const data = trainingData(type, await readDataset(stores, project, datasetId));
        const material = { type, datasetId, data };
        const hooks = { signal, note: (details: JsonObject) => note({ variant, ...details }) };
        const linear = LINEAR_VARIANTS.find(({ name }) => name === variant);
        const merge = mergeOf(variant);
        const spec = adapter ?? ADAPTER_VARIANTS.find(({ name }) => name === variant || name === merge?.adapter);
        if (linear === undefined && spec === undefined)
          throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'model variant', name: variant });
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
    const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
    const text = `model ${name}: balanced accuracy ${percent(validation.balancedAccuracy)} on validation, price ${price}`;
    return { id, name, price, validation, text };
  }
}

/** What a text model learns from a dataset: the text at the task type's pointer, and the right label. */
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
