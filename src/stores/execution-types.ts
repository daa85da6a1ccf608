import type {
  Approval,
  ExecutionConfig,
  LongExecution,
  LongExecutionState,
  PerformedEffect,
} from '../contracts/executions.ts';
import type { PlannedFork } from '../core/execution/fork.ts';
import type { ArtifactRef, AuditEvent, EffectKind, JsonObject, JsonValue } from '../contracts/records.ts';

/** Why an execution has to end before its agent says so. */
export interface Ending {
  readonly code: 'budget-exhausted' | 'cancelled';
  readonly message: string;
}

/** Where a long execution was left: the agent's state apart, since it is bytes. */
export interface ExecutionPosition {
  readonly turn: number;
  readonly fuel: number;
  readonly agentState: Uint8Array;
  readonly suspension: JsonObject;
}

export interface ExecutionSpent {
  readonly money: number;
  readonly tokens: number;
}

export type NewLongExecution = Pick<
  LongExecution,
  'executionId' | 'taskType' | 'taskId' | 'ordinal' | 'agentVersion' | 'depth' | 'parent' | 'fromTurn'
> & { readonly config: ExecutionConfig };

export interface LongExecutionsRepository {
  /** The same id again is the same execution; of another agent, task or parent `CHIMERA_CONFLICT`. */
  open(project: string, execution: NewLongExecution): Promise<LongExecution>;
  /** Like {@link open}, and who has asked for it is audited. */
  fork(project: string, fork: PlannedFork, actor: string): Promise<LongExecution>;
  get(project: string, executionId: string): Promise<LongExecution | undefined>;
  /** @throws `CHIMERA_NOT_FOUND` */
  require(project: string, executionId: string): Promise<LongExecution>;
  /** Newest first. */
  list(
    project: string,
    options?: { taskType?: string; taskId?: string; state?: LongExecutionState; limit?: number },
  ): Promise<LongExecution[]>;
  /** Where it was left, why it has to end, and what its effects have cost. */
  position(
    project: string,
    executionId: string,
  ): Promise<{ position?: ExecutionPosition; ending?: Ending; spent: ExecutionSpent }>;
  /** Never goes back: an older position than the stored one is left alone. */
  savePosition(project: string, executionId: string, position: ExecutionPosition): Promise<void>;
  /** Only between `running` and `paused`; an execution that is done stays as it is. */
  setState(project: string, executionId: string, state: 'running' | 'paused', audit?: AuditEvent): Promise<boolean>;
  /** The first one holds. */
  setEnding(project: string, executionId: string, ending: Ending, audit?: AuditEvent): Promise<Ending>;
  /** The first record holds; another one later is `CHIMERA_INTERNAL`, for an execution is deterministic. */
  finish(
    project: string,
    executionId: string,
    end: { state: 'completed' | 'failed'; record: JsonObject; recordHash: string; turn: number; fuel: number },
    audit: AuditEvent,
  ): Promise<void>;
}

/** What others want of an execution. */
export interface Wanted {
  /** How many of the effects were not recorded before. */
  readonly recorded: number;
  readonly paused: boolean;
  readonly ending?: Ending;
}

export type NewEffect = Omit<PerformedEffect, 'performedAt' | 'body'> & {
  /** Canonical JSON; or the artifact that it is in. */
  readonly body: string | ArtifactRef;
};

export type StoredEffect = Omit<PerformedEffect, 'body'> & { readonly body: string | ArtifactRef };

export interface EffectsRepository {
  /**
   * Records effects of one turn; one that is recorded already stays as it is. With `ending`, the reason to end is recorded in
   * the same transaction. Tells what others want of the execution by now.
   */
  record(project: string, executionId: string, effects: readonly NewEffect[], ending?: Ending): Promise<Wanted>;
  /** Turns from `from` (inclusive), in order. */
  from(project: string, executionId: string, from: number, limit?: number): Promise<StoredEffect[]>;
  /** The n-th (from 0) effect of this kind and request below a turn, in the order in which they were asked for. */
  nth(
    project: string,
    executionId: string,
    wanted: { kind: EffectKind; requestHash: string; n: number; belowTurn: number },
  ): Promise<StoredEffect | undefined>;
  /** How often this was asked for below a turn. */
  count(
    project: string,
    executionId: string,
    of: { kind: EffectKind; requestHash: string; belowTurn: number },
  ): Promise<number>;
  /** World effects of the executions of tasks, so that they can be served again. In order. */
  ofTasks(project: string, taskIds: readonly string[]): Promise<(StoredEffect & { taskId: string })[]>;
  /** Effects by kind. */
  totals(project: string, executionId: string): Promise<Partial<Record<EffectKind, number>>>;
}

export interface MemoryBlocksRepository {
  get(project: string, executionId: string, sha256: string): Promise<Uint8Array | undefined>;
  /** Keeps a block; the answer is how many bytes the execution keeps with it. Beyond `limit` it is not kept. */
  put(
    project: string,
    executionId: string,
    block: { sha256: string; bytes: Uint8Array; limit: number },
  ): Promise<number>;
}

export interface ApprovalsRepository {
  /** Asking again is the same question. */
  ask(project: string, question: Omit<Approval, 'askedAt' | 'answer' | 'answeredBy' | 'answeredAt'>): Promise<Approval>;
  get(project: string, approvalId: string): Promise<Approval | undefined>;
  /** Those that can still be answered, oldest first; with `all` the others, too. */
  list(project: string, options?: { all?: boolean; executionId?: string; limit?: number }): Promise<Approval[]>;
  /**
   * Answers a question. The same answer again is no error; another one is `CHIMERA_CONFLICT`, an unknown question
   * `CHIMERA_NOT_FOUND`, an answer that is none of the options `CHIMERA_INVALID_INPUT`.
   */
  answer(project: string, approvalId: string, answer: JsonValue, by: string): Promise<Approval>;
}
