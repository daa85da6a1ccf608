import type { ArtifactRef, JsonObject } from '../contracts/records.ts';
import type { TrainingData } from '../core/training/linear/trainer.ts';
import type { TaskType } from '../core/validation/task-type.ts';

/** A model that was trained and is registered. */
export interface ModelSummary {
  id: string;
  name: string;
  price: number;
  validation: { accuracy: number; balancedAccuracy: number };
  text: string;
}

/** How good a model is whose training was left. */
export interface LeftModel {
  left: { step: number; loss: number; accuracy?: number };
}

/** Why a planned variant was not made. */
export interface LeftOut {
  leftOut: string;
}

/** What a training came to, before it is registered. */
export interface TrainedModel {
  /** Name of the run, by which its checkpoints are found. */
  readonly run: string;
  readonly artifact: ArtifactRef;
  readonly spec: JsonObject;
  readonly validation: ModelSummary['validation'];
  readonly report: JsonObject;
}

/** What a model is trained on. */
export interface Material {
  readonly type: TaskType;
  readonly datasetId: string;
  readonly data: TrainingData;
}

/** How a training hears and tells. */
export interface RunHooks {
  readonly signal: AbortSignal;
  readonly note: (details: JsonObject) => void;
}
