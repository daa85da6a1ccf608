/**
 * The shapes that cross a boundary: rows of the stores, answers of the API, arguments of activities. Plain JSON.
 * A *Sha256* is lower-case hex. Times are ISO 8601 and never part of hashed content.
 */

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** A content-addressed artifact. Anything over 64 KB travels as one of these. */
export interface ArtifactRef {
  bucket: string;
  key: string;
  sha256: string;
  bytes: number;
}

/** What a caller sends. `key` is the idempotency key: the same key twice is one task. */
export interface TaskSubmission {
  taskType: string;
  payload: JsonValue;
  key?: string;
  /** Temporal's priority: 1 (first) to 5. Default 3. */
  priority?: number;
}

export type TaskState = 'accepted' | 'running' | 'completed' | 'failed' | 'dead';

/** Which versions a task was given at admission. Stored with the task, so that it never changes afterwards. */
export interface Routing {
  epoch: number;
  /** Agent version id whose answer is served. */
  served: string;
  /** Agent version id that runs beside it, where a rollout is on. */
  shadow?: string;
}

export interface TaskRecord {
  project: string;
  taskId: string;
  taskType: string;
  taskTypeVersion: number;
  key: string;
  /** Hash of (task type, payload): the same key with another one is a conflict. */
  bodyHash: string;
  ordinal: number;
  payload: JsonValue;
  priority: number;
  state: TaskState;
  routing: Routing;
  batchId?: string;
  acceptedAt: string;
}

export type ExecutionRole = 'served' | 'shadow';

/** One run of one agent version on one task, as stored. The first eight fields are hashed, the rest is circumstance. */
export interface ExecutionRow {
  taskId: string;
  ordinal: number;
  agentVersion: string;
  role: ExecutionRole;
  status: 'completed' | 'failed';
  output?: JsonValue;
  reason?: { code: string; message: string };
  fuel: number;
  modelCalls: number;
  memoryBytes: number;
  turns: number;
  /** Hash of the whole execution record. */
  recordHash: string;
  /** The numeric view of the input that the agent saw; drift and golden samples read it. */
  features: number[];
}

export type Feedback =
  | { kind: 'boolean'; value: boolean }
  | { kind: 'number'; value: number }
  | { kind: 'demonstration'; value: JsonValue }
  | { kind: 'comment'; value: string };

/** Feedback joins an execution later. `id` makes it idempotent; without one it is derived from its content. */
export interface FeedbackSubmission {
  taskId?: string;
  /** Instead of `taskId`: the idempotency key of the task. */
  key?: string;
  id?: string;
  feedback: Feedback;
}

/** An execution joined with its feedback and scored by the task type's scorer. */
export interface ScoreRow {
  taskId: string;
  ordinal: number;
  agentVersion: string;
  role: ExecutionRole;
  score: number;
  correct: boolean;
  predicted?: string;
  expected?: string;
}

export type DeploymentStage = 'full' | 'shadow' | 'canary';

/** Which versions serve a task type from an ordinal on. Append-only; `epoch` is the compare-and-set token. */
export interface Deployment {
  project: string;
  taskType: string;
  epoch: number;
  fromOrdinal: number;
  champion: string;
  challenger?: string;
  stage: DeploymentStage;
  /** Share of tasks in [0, 1] whose served answer is the challenger's. */
  share: number;
  reason: string;
}

export interface AgentVersion {
  /** hashOf({module, manifest}). */
  id: string;
  project: string;
  agent: string;
  module: ArtifactRef;
  manifest: AgentManifest;
  /** The genome it was compiled from, where evolution made it. */
  genome?: JsonObject;
  parents: string[];
  experiment?: string;
}

export const EFFECT_KINDS = ['infer', 'embed', 'memory', 'http', 'tool', 'ask-human', 'spawn-task', 'sleep'] as const;
export type EffectKind = (typeof EFFECT_KINDS)[number];

/** What an agent may do and with what; hashed with its module into the version id. */
export interface AgentManifest {
  abi: 'chimera:agent@1';
  description: string;
  capabilities: EffectKind[];
  /** Model name used in `infer` requests → model id (sha256 of its artifact). */
  models: Record<string, string>;
  limits: Partial<ExecutionLimits>;
  engine: 'any' | 'wasmtime';
  /** Where its `http` effects may go: core/execution/allow.ts says how an entry is written. */
  http?: { allow: string[] };
  /** The tools of temporal.yaml that its `tool` effects may call. */
  tools?: string[];
}

export interface ExecutionLimits {
  /** Fuel for the whole execution. */
  fuel: number;
  /** Pages of 64 KiB. */
  memoryPages: number;
  turns: number;
  outputBytes: number;
  stateBytes: number;
  logBytes: number;
  effectsPerTurn: number;
  /** Calls deep. */
  depth: number;
}

export interface ModelRecord {
  /** SHA-256 of the artifact. */
  id: string;
  project: string;
  /** Speaking name, unique within its training run: `word-lr`, `char-lr`, … */
  name: string;
  taskType: string;
  artifact: ArtifactRef;
  /** Cost of one call in model-call units. */
  price: number;
  dataset: string;
  spec: JsonObject;
  report: JsonObject;
}

export interface DatasetRecord {
  /** Content hash over the canonical JSONL and the split. */
  id: string;
  project: string;
  taskType: string;
  /** 1, 2, … within (project, task type). */
  version: number;
  /** JSONL of all examples with their split. */
  artifact: ArtifactRef;
  counts: { train: number; validation: number; test: number };
  /** Exclusive upper end of the ordinals it was cut from. */
  uptoOrdinal: number;
  datasheet: JsonObject;
}

/** One example of a dataset: what the agent would see, and the right output. */
export interface DatasetExample {
  ordinal: number;
  taskId: string;
  split: 'train' | 'validation' | 'test';
  payload: JsonObject;
  features: number[];
  expected: JsonValue;
}

export interface DeadLetter {
  project: string;
  taskId: string;
  taskType: string;
  ordinal: number;
  code: string;
  reason: string;
  at: string;
}

export interface AuditEvent {
  /** `deployment.promoted`, `dataset.created`, … */
  type: string;
  /** Who did it: a key's name, a workflow ID, `cli`. Not hashed content of decisions. */
  actor: string;
  subject: string;
  details: JsonObject;
}

export interface LedgerEntry {
  leaseId: string;
  deviceClass: string;
  holder: string;
  purpose: string;
  seconds: number;
  cost: number;
}
