import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { DatasetExample, JsonObject } from '../contracts/records.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import { valueAt } from '../core/kpi/pointer.ts';
import { loadLinearModel } from '../core/training/linear/model.ts';
import { LINEAR_VARIANTS, type LinearSpec } from '../core/training/linear/spec.ts';
import { createTrainer, resumeTrainer, type TrainingData } from '../core/training/linear/trainer.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import { classificationReport } from '../core/kpi/confusion.ts';
import { readDataset, typeOfDataset } from './datasets.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';

export interface ModelSummary {
  id: string;
  name: string;
  price: number;
  validation: { accuracy: number; balancedAccuracy: number };
  text: string;
}

export interface TrainingActivities {
  planTraining(input: { variants?: string[] }): Promise<string[]>;
  /** Trains one variant, resuming from the last checkpoint, and registers it by content. */
  trainModel(input: {
    project: string;
    taskType: string;
    datasetId: string;
    variant: string;
    seed: string;
  }): Promise<ModelSummary>;
}

/** Passes between two checkpoints. */
const CHECKPOINT_EVERY = 5;

export function createTrainingActivities({ stores }: ActivityDeps): TrainingActivities {
  return {
    planTraining({ variants }) {
      const known = LINEAR_VARIANTS.map((spec) => spec.name);
      const unknown = (variants ?? []).filter((name) => !known.includes(name));
      if (unknown.length > 0) {
        return Promise.reject(
          new ChimeraError('CHIMERA_NOT_FOUND', {
            what: `model variant (known: ${known.join(', ')})`,
            name: unknown.join(', '),
          }),
        );
      }
      return Promise.resolve(variants ?? known);
    },

    async trainModel({ project, taskType, datasetId, variant, seed }) {
      return heartbeating(async (signal, note) => {
        const base = LINEAR_VARIANTS.find((spec) => spec.name === variant);
        if (base === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'model variant', name: variant });
        const spec: LinearSpec = { ...base, seed };
        const type = await typeOfDataset(stores, project, datasetId, taskType);
        const data = trainingData(type, await readDataset(stores, project, datasetId));
        const run = hashOf({ datasetId, spec }).slice(0, 32);
        const saved = await stores.snapshots.latest(project, run);
        const trainer =
          saved === undefined
            ? createTrainer(spec, data)
            : resumeTrainer(spec, data, await stores.artifacts.get(saved.artifact));
        while (!trainer.progress.done) {
          signal.throwIfAborted();
          const progress = trainer.step();
          note({ variant, step: progress.step, of: progress.of, loss: progress.loss });
          if (!progress.done && progress.step % CHECKPOINT_EVERY === 0) {
            const artifact = await stores.artifacts.put(trainer.checkpoint(), { kind: 'checkpoint' });
            failpoint('checkpoint.put');
            await stores.snapshots.put(project, run, progress.step, artifact);
            failpoint('checkpoint.row');
          }
          // The step is synchronous: let heartbeats and cancellation through.
          await new Promise((resolve) => setImmediate(resolve));
        }
        const artifact = await stores.artifacts.put(trainer.model(), { kind: 'model' });
        const report = judgeModel(type, data, await stores.artifacts.get(artifact));
        failpoint('model.put');
        const { price, name } = spec;
        await stores.models.put(
          project,
          {
            id: artifact.sha256,
            name,
            taskType,
            artifact,
            price,
            dataset: datasetId,
            spec: spec as unknown as JsonObject,
            report: { validation: report, examples: data.train.length, passes: trainer.progress.step },
          },
          {
            type: 'model.trained',
            actor: `training/${run}`,
            subject: artifact.sha256,
            details: { name, dataset: datasetId },
          },
        );
        failpoint('model.row');
        const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
        return {
          id: artifact.sha256,
          name,
          price,
          validation: report,
          text: `model ${name}: balanced accuracy ${percent(report.balancedAccuracy)} on validation, price ${price}`,
        };
      });
    },
  };
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
      .map(({ payload, expected }) => ({
        text: String(valueAt(payload, text) ?? ''),
        label: String(valueAt(expected, scorer.pointer)),
      }));
  return { labels: scorer.labels, train: part('train'), validation: part('validation') };
}

/** How well a model answers the validation split. */
export function judgeModel(type: TaskType, data: TrainingData, bytes: Uint8Array): ModelSummary['validation'] {
  const model = loadLinearModel(bytes);
  const pairs = data.validation.map(({ text, label }) => {
    const scores = model.score(text);
    return { expected: label, predicted: model.labels[scores.indexOf(Math.max(...scores))] };
  });
  const report = classificationReport(pairs, { labels: data.labels, seed: type.name, replicates: 200 });
  return { accuracy: report.accuracy.estimate, balancedAccuracy: report.balancedAccuracy.estimate };
}
