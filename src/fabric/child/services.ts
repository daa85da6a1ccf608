import type { Problem } from '../../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../../contracts/records.ts';
import type { PreparedInput, TaskTypeRef } from '../jobs.ts';

/** A model that is loaded. The answer is a function of the input alone. */
export interface InferenceModel {
  infer(input: JsonValue): { readonly labels: readonly string[]; readonly scores: Float64Array };
}

/** What a sandbox process is composed of: the parts that are not the fabric's own. */
export interface ChildServices {
  /** The preparation of a task type's payloads. Its errors are ChimeraErrors of one item. */
  preparation(taskType: TaskTypeRef): (payload: JsonObject) => Promise<PreparedInput>;
  /** The check of outputs against a JSON Schema. */
  validator(schema: JsonObject): (output: JsonValue) => readonly Problem[];
  /** Loads a model's bytes, whatever kind it is. */
  model(bytes: Uint8Array): InferenceModel;
}
