/** Long executions: those that go turn by turn because their agent asks the world for something. Plain JSON. */
import type { EffectKind, ExecutionLimits, JsonObject, JsonValue } from './records.ts';

/** Effects that need more than a model and the execution's own memory: an agent that may ask for one has long executions. */
export const WORLD_EFFECTS = ['http', 'tool', 'ask-human', 'spawn-task', 'sleep'] as const satisfies EffectKind[];

/** Does this agent run turn by turn, through `executionWorkflow`? */
export function runsInTurns({ capabilities }: { readonly capabilities: readonly EffectKind[] }): boolean {
  return capabilities.some((kind) => (WORLD_EFFECTS as readonly EffectKind[]).includes(kind));
}

/**
 * What a long execution may spend. Where one is spent, the effects of that turn are answered with `CHIMERA_BUDGET_SPENT` and the
 * agent has one more step to say what it has: the partial result. Absent: no bound but the limits.
 */
export interface ExecutionBudget {
  turns?: number;
  fuel?: number;
  /** Tokens of language models. */
  tokens?: number;
  /** Prices of tools, in the money units of temporal.yaml. */
  money?: number;
  /** Milliseconds since its start. */
  wallMs?: number;
}

export interface ExecutionConfig {
  /** An unsigned 64-bit integer in decimal. */
  seed: string;
  /** In place of the task type's; those of the manifest hold on top. */
  limits?: Partial<ExecutionLimits>;
  budget: ExecutionBudget;
}

export type LongExecutionState = 'running' | 'paused' | 'completed' | 'failed';

/** One long execution, as a reader sees it. */
export interface LongExecution {
  project: string;
  executionId: string;
  taskType: string;
  taskId: string;
  ordinal: number;
  agentVersion: string;
  /** Of which execution this is a fork, and the first turn whose effects are its own. */
  parent?: string;
  fromTurn?: number;
  depth: number;
  config: ExecutionConfig;
  state: LongExecutionState;
  /** Steps taken. */
  turn: number;
  fuel: number;
  /** The whole execution record, once it is done. */
  record?: JsonObject;
  recordHash?: string;
  startedAt: string;
  endedAt?: string;
}

/** An effect that was performed, named by (execution, turn, index). */
export interface PerformedEffect {
  turn: number;
  index: number;
  kind: EffectKind;
  requestHash: string;
  request: JsonValue;
  ok: boolean;
  /** The result, or `{"code", "message"}`. */
  body: JsonValue;
  scores: number[];
  /** `host`, the name of a tool, a person, or the execution whose recording was used. */
  answeredBy: string;
  /** Money. */
  cost: number;
  tokens: number;
  performedAt: string;
}

/** A question of an agent to people. */
export interface Approval {
  approvalId: string;
  executionId: string;
  taskType: string;
  turn: number;
  index: number;
  question: string;
  /** The answers to choose from; absent: any JSON. */
  options?: JsonValue[];
  askedAt: string;
  /** When nobody's answer becomes the answer. */
  deadline?: string;
  answer?: JsonValue;
  answeredBy?: string;
  answeredAt?: string;
}

/** What a fork changes of its parent. */
export interface ForkChanges {
  agentVersion?: string;
  seed?: string;
  limits?: Partial<ExecutionLimits>;
  budget?: ExecutionBudget;
}

/** The execution of a task by its served version. */
export const servedExecutionId = (taskId: string): string => taskId;

/** The name of a question: the effect that asked it. */
export const approvalIdOf = (executionId: string, turn: number, index: number): string =>
  `${executionId}.${turn}.${index}`;

/** What an agent is told of a spawned task that waited for one that failed. */
export const NOT_STARTED = {
  code: 'CHIMERA_TASK_FAILED',
  message: 'a task that this one waits for has failed',
} as const;
