import type { ArtifactRef, DatasetExample, JsonObject } from '../contracts/records.ts';
import type { TrainingData } from '../core/training/linear/trainer.ts';
import type { TaskType } from '../core/validation/task-type.ts';

/** How well a classifier answers the validation examples. */
export type LabelValidation = {
  accuracy: number;
  balancedAccuracy: number;
};

/** How well a decoder foresees the right answers of the validation examples. */
export type AnswerValidation = {
  /** In nats: a token of a causal task, an example of preferences. */
  loss: number;
  /** Of the base without the adapter. */
  lossBefore: number;
  /** Share of preferences that hold. */
  accuracy?: number;
};

/** A model that was trained and is registered. */
export interface ModelSummary {
  id: string;
  name: string;
  price: number;
  validation: LabelValidation | AnswerValidation;
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
export interface TrainedModel<V = ModelSummary['validation']> {
  /** Name of the run, by which its checkpoints are found. */
  readonly run: string;
  readonly artifact: ArtifactRef;
  readonly spec: JsonObject;
  readonly validation: V;
  readonly report: JsonObject;
}

/** What a model is made from. */
export interface Source {
  readonly type: TaskType;
  readonly datasetId: string;
  readonly examples: readonly DatasetExample[];
}

/** What a classifier is trained on. */
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
