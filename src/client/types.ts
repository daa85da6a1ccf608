/**
 * What the API answers: plain JSON, the shapes of `GET /openapi.json`. The gateway's schemas are checked against these
 * types when they compile, so that neither side can drift.
 */
import type { AgentRecord } from '../contracts/agents.ts';
import type { Approval, ForkChanges, LongExecution, PerformedEffect } from '../contracts/executions.ts';
import type { Deployment, Feedback, JsonObject, JsonValue, Routing, TaskState } from '../contracts/records.ts';

export interface TaskView {
  taskId: string;
  taskType: string;
  taskTypeVersion: number;
  /** The idempotency key. */
  key: string;
  ordinal: number;
  state: TaskState;
  routing: Routing;
  priority: number;
  batchId?: string;
  acceptedAt: string;
  /** The served answer, once there is one. */
  output?: JsonValue;
  /** Agent version that gave the answer. */
  version?: string;
  fuel?: number;
  modelCalls?: number;
  /** Why it failed or lies in dead letters. */
  reason?: { code: string; message: string };
  /** Where its agent goes turn by turn: the execution, and its path under the base URL. */
  execution?: { executionId: string; link: string };
  feedback: FeedbackView[];
}

export interface FeedbackView {
  id: string;
  feedback: Feedback;
  /** It came after the deadline had been recorded: decisions were made without it. */
  late: boolean;
  receivedAt: string;
}

export interface BatchAccepted {
  batchId: string;
  /** Tasks of the batch. */
  count: number;
  /** Absent for an empty batch. */
  firstOrdinal?: number;
  lastOrdinal?: number;
}

export interface BatchView extends BatchAccepted {
  taskType: string;
  key: string;
  createdAt: string;
  /** `open`: not all of it was accepted yet. */
  state: 'open' | 'closed' | 'completed';
  /** Tasks that are completed, failed or dead. */
  resolved: number;
  failed: number;
  /** Every task is resolved. */
  done: boolean;
}

export interface FeedbackAccepted {
  accepted: number;
}

/** A task type as it was registered: immutable by (name, version). */
export interface TaskTypeView {
  name: string;
  version: number;
  [member: string]: unknown;
}

export interface DeploymentView {
  current: Deployment;
  /** By epoch, the current one last. */
  history: Deployment[];
}

/** An agent with its number of versions and the ID of the latest. */
export interface AgentView {
  agent: string;
  versions: number;
  latest: string;
}

/** A version with its manifest, what it is made of, and who published it when. */
export type AgentVersionView = Omit<AgentRecord, 'project'>;

/** How a sample of a publication went. */
export interface SampleView {
  sample: string;
  output?: JsonValue;
  failure?: string;
  turns: number;
  fuel: number;
  recordHash: string;
}

export interface PublishedView {
  version: AgentVersionView;
  /** False where the same was published before. */
  created: boolean;
  samples: SampleView[];
}

/** A challenger that is proved, or was, on live traffic. */
export interface RolloutView {
  id: string;
  taskType: string;
  champion: string;
  challenger: string;
  /** `shadow`, `canary`, `promoted`, `rolled-back`, `aborted`. */
  state: string;
  /** What the evidence says so far. */
  text: string;
  decidedAt?: string;
}

export interface RolloutStarted {
  workflowId: string;
  taskType: string;
  champion: string;
  challenger: string;
}

export type CycleState = 'running' | 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed out';

export interface CycleView {
  /** Use it with `GET /v1/cycles/{id}`. */
  id: string;
  workflowId?: string;
  taskType: string;
  state: CycleState;
  startedAt?: string;
  closedAt?: string;
  /** The step it is in. */
  phase?: string;
  /** Current-state text, as in the Temporal UI. */
  details?: string;
  result?: JsonValue;
  error?: string;
  /** Path of the HTML report under the base URL, when there is one. */
  report?: string;
  /** The run in the Temporal UI, where its address is known. */
  ui?: string;
}

/** An execution that goes turn by turn because its agent asks the world for something. */
export type ExecutionView = Omit<LongExecution, 'project' | 'record'> & {
  /** Path under the base URL. */
  link: string;
  /** What came out; of a failed one what its agent had. */
  output?: JsonValue;
  /** Why it failed. */
  reason?: { code: string; message: string };
};

/** What a running execution says of itself. */
export interface ExecutionNow {
  state: 'running' | 'waiting' | 'paused' | 'ending' | 'done';
  turn: number;
  fuel: number;
  /** What it waits for, in words. */
  waitsFor: string[];
}

/** One execution with all there is to say of it. */
export type ExecutionDetails = ExecutionView & {
  /** Until it is done, where a worker answers. */
  now?: ExecutionNow;
  /** Why there is no `now` although it is not done. The rest is what is stored. */
  noAnswer?: string;
  /** The questions that it waits for people to answer. */
  questions: ApprovalView[];
  /** The whole execution record, once it is done. */
  record?: JsonObject;
  /** The run in the Temporal UI, where its address is known. */
  ui?: string;
};

/** An effect of an execution: with its body, or with where that is. */
export type EffectView = Omit<PerformedEffect, 'body'> & {
  /** The result, or `{"code", "message"}`. */
  body?: JsonValue;
  /** Instead of a large body, unless the whole was asked for. */
  artifact?: { sha256: string; bytes: number };
};

export interface EffectsPage {
  /** Whole turns, in order. */
  effects: EffectView[];
  /** The turn to go on from; absent: there are no more. */
  next?: number;
}

/** From which turn on a fork goes its own way, and what it changes. */
export type ForkRequest = ForkChanges & { turn: number };

/** A question of an agent to people, with who asked it. */
export type ApprovalView = Approval & {
  taskId: string;
  agentVersion: string;
  /** `over`: nobody answered in time, or its execution is done. */
  state: 'open' | 'answered' | 'over';
};
