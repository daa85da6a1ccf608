import type { ModuleReport } from '../contracts/agents.ts';
import type { ErrorCode, ErrorDetails } from '../contracts/errors.ts';
import type { AgentManifest, EffectKind, ExecutionLimits, JsonObject, JsonValue } from '../contracts/records.ts';
import type { ExecutionRecord, FailureCode, Resumption, Suspension, TrapKind } from '../core/execution/types.ts';
import type { TaskType } from '../core/validation/task-type.ts';

/** An agent version as the fabric needs it: module by hash, and what it may do. */
export interface AgentRef {
  /** SHA-256 of the module as published. */
  readonly sha256: string;
  readonly manifest: AgentManifest;
}

/** A payload as agents see it. */
export interface PreparedInput {
  readonly payload: JsonObject;
  readonly features: Float64Array;
}

/** What a task type says about running its tasks. `limits` holds more than the fabric reads. */
export type TaskTypeRef = Pick<TaskType, 'preprocess' | 'features' | 'output'> & {
  readonly limits?: Partial<ExecutionLimits>;
};

/** A world effect that was performed before: served again instead of performing it. Found by kind and request. */
export interface RecordedEffect {
  readonly kind: EffectKind;
  readonly requestHash: string;
  readonly ok: boolean;
  readonly body: JsonValue;
  readonly scores: readonly number[];
}

export interface RunItem {
  readonly key: string;
  /** Seed of the execution: an unsigned 64-bit integer. See `seedOf`. */
  readonly seed: bigint;
  /** What the caller sent; the child prepares it. */
  readonly payload?: JsonObject;
  /** Instead of `payload`: prepared before. */
  readonly prepared?: PreparedInput;
  readonly recorded?: readonly RecordedEffect[];
}

/** One agent on many items. */
export interface RunJob {
  readonly agent: AgentRef;
  readonly taskType: TaskTypeRef;
  readonly items: readonly RunItem[];
  /** Fail what asks the world for something that is not among `recorded`; default: it is told that this is not done here. */
  readonly onlyRecorded?: boolean;
  /** What comes back of the prepared input beside the record. Default `features`: payloads are large. */
  readonly want?: 'features' | 'payload';
}

/** What came of one item: a record, or why there is none (the payload could not be prepared). */
export type RunItemResult =
  | {
      readonly key: string;
      readonly record: ExecutionRecord;
      readonly recordHash: string;
      /** The numeric view that the agent saw. */
      readonly features: Float64Array;
      /** The payload that the agent saw, where it was wanted. */
      readonly payload?: JsonObject;
    }
  | { readonly key: string; readonly error: ItemError };

export interface ItemError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** One long execution from where it stands until it is done or waits for effects that are not the sandbox's to perform. */
export interface AdvanceJob {
  readonly agent: AgentRef;
  readonly taskType: TaskTypeRef;
  readonly seed: bigint;
  /** What models read; after the first step the agent does not see it again. */
  readonly prepared: PreparedInput;
  /** Where it was left, with the answers to what it asked for; absent: from its start. */
  readonly from?: Resumption;
}

export type AdvanceResult =
  { readonly record: ExecutionRecord; readonly recordHash: string } | { readonly suspension: Suspension };

/** Payloads to prepare, as agents would see them, without running one. */
export interface PrepareJob {
  readonly taskType: TaskTypeRef;
  readonly payloads: readonly JsonObject[];
}

/** What came of one payload, in the order of the job. */
export type PrepareResult = PreparedInput | { readonly error: ItemError };

/** Many agents on the same prepared items: the fitness of a generation. Model answers are computed once for each item. */
export interface EvaluationJob {
  readonly agents: readonly AgentRef[];
  readonly taskType: Omit<TaskTypeRef, 'preprocess' | 'features'>;
  readonly items: readonly (RunItem & { readonly prepared: PreparedInput })[];
}

/** Codes of {@link EvaluationColumns.status}. */
export const EVALUATION_STATUS = { failed: 0, completed: 1, unscorable: 2 } as const;

/** One agent's runs, a column each, in the order of the items. */
export interface EvaluationColumns {
  readonly status: Uint8Array;
  readonly output: readonly (JsonValue | null)[];
  /** Why an item failed, else null. */
  readonly failure: readonly (FailureCode | null)[];
  readonly fuel: Float64Array;
  readonly modelCalls: Uint32Array;
}

/** An agent module that passed the guard. */
export interface PublishedAgent {
  /** hashOf({module, manifest}): the agent version's id. */
  readonly id: string;
  /** SHA-256 of the module as published. */
  readonly sha256: string;
  readonly manifest: AgentManifest;
  /** What the guard found in it. */
  readonly module: ModuleReport;
  /** How the first step went, on the sample or on an empty payload. */
  readonly smoke: { readonly ok: boolean; readonly trap?: TrapKind; readonly fuel: number };
}
