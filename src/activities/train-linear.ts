import { failpoint } from '../contracts/failpoint.ts';
import type { JsonObject } from '../contracts/records.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import { loadLinearModel } from '../core/training/linear/model.ts';
import type { LinearSpec } from '../core/training/linear/spec.ts';
import { createTrainer, resumeTrainer, type TrainingData } from '../core/training/linear/trainer.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { ActivityDeps } from './deps.ts';
import { judgeScores } from './model-scores.ts';
import type { RunHooks, TrainedModel } from './training-types.ts';

/** Passes between two checkpoints. */
const CHECKPOINT_EVERY = 5;

/** Trains a linear model, from its last checkpoint on. */
export async function trainLinear(
  { stores }: Pick<ActivityDeps, 'stores'>,
  project: string,
  { type, datasetId, data }: { type: TaskType; datasetId: string; data: TrainingData },
  spec: LinearSpec,
  { signal, note }: RunHooks,
): Promise<TrainedModel> {
  const run = hashOf({ datasetId, spec }).slice(0, 32);
  const saved = await stores.snapshots.latest(project, run);
  const trainer =
    saved === undefined
      ? createTrainer(spec, data)
      : resumeTrainer(spec, data, await stores.artifacts.get(saved.artifact));
  while (!trainer.progress.done) {
    signal.throwIfAborted();
    const progress = trainer.step();
    note({ step: progress.step, of: progress.of, loss: progress.loss });
    if (!progress.done && progress.step % CHECKPOINT_EVERY === 0) {
      const artifact = await stores.artifacts.put(trainer.checkpoint(), { kind: 'checkpoint' });
      failpoint('checkpoint.put');
      await stores.snapshots.put(project, run, progress.step, artifact);
      failpoint('checkpoint.row');
    }
    // The step is synchronous: let heartbeats and cancellation through.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const bytes = trainer.model();
  const artifact = await stores.artifacts.put(bytes, { kind: 'model' });
  const validation = judgeLinear(type, data, bytes);
  return {
    run,
    artifact,
    spec: spec as unknown as JsonObject,
    validation,
    report: { validation, examples: data.train.length, passes: trainer.progress.step },
  };
}

/** How well a linear model answers the validation split. */
export function judgeLinear(type: TaskType, data: TrainingData, bytes: Uint8Array): TrainedModel['validation'] {
  const model = loadLinearModel(bytes);
  const answers = data.validation.map(({ text }) => ({ labels: model.labels, scores: [...model.score(text)] }));
  return judgeScores(
    type,
    data.labels,
    data.validation.map(({ label }) => label),
    answers,
  );
}
