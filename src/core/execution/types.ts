import type { EffectKind, ExecutionLimits, JsonValue } from '../../contracts/records.ts';
import type { Problem } from '../../contracts/errors.ts';

/** What an agent is asked in one step: `wit/agent.wit`, `event`. */
export interface StepEvent {
  /** 0 for the first step of an execution. */
  readonly turn: number;
  /** Seed of the execution, an unsigned 64-bit integer. */
  readonly seed: bigint;
  /** Virtual milliseconds since the execution started. */
  readonly time: number;
  readonly body: StartBody | ResultsBody;
}

export interface StartBody {
  readonly kind: 'start';
  /** Canonical JSON, UTF-8. */
  readonly payload: Uint8Array;
  readonly features: Float64Array;
}

export interface ResultsBody {
  readonly kind: 'results';
  readonly results: readonly EffectResult[];
}

/** The answer to one effect. Whoever makes one may hand out the same object again: nobody changes it. */
export interface EffectResult {
  readonly ok: boolean;
  /** Canonical JSON, UTF-8: the result, or `{"code","message"}`. */
  readonly body: Uint8Array;
  /** The numeric view of the result, empty where there is none. */
  readonly scores: Float64Array;
}

/** An effect as the agent asked for it, before anybody looked at the request. */
export interface RawEffect {
  readonly kind: EffectKind;
  readonly request: Uint8Array;
}

export type Outcome =
  | { readonly kind: 'done'; readonly output: Uint8Array }
  | { readonly kind: 'fail'; readonly reason: string }
  | { readonly kind: 'effects'; readonly effects: readonly RawEffect[] };

/** How a step can end against the agent's will. The same on every engine and machine. */
export const TRAP_KINDS = [
  'out-of-fuel',
  'stack-depth',
  'unreachable',
  'memory-out-of-bounds',
  'table-out-of-bounds',
  'indirect-call',
  'integer-divide-by-zero',
  'integer-overflow',
  'invalid-conversion',
  'bad-outcome',
  'state-too-large',
  'output-too-large',
  'log-too-large',
  'too-many-effects',
] as const;
export type TrapKind = (typeof TRAP_KINDS)[number];

interface StepCost {
  /** Fuel of this step, the fresh instance included. */
  readonly fuel: number;
  /** Peak of the agent's linear memory. */
  readonly memoryBytes: number;
}

export type StepResult =
  | (StepCost & {
      readonly ok: true;
      readonly state: Uint8Array;
      readonly outcome: Outcome;
      readonly log: readonly string[];
    })
  | (StepCost & { readonly ok: false; readonly trap: TrapKind; readonly message: string });

/**
 * Runs one step of one agent in a fresh instance. Traps are results; what is no fault of the agent (a crash, no memory
 * on the machine) is thrown as a ChimeraError.
 */
export interface StepEngine {
  /** `fuel`: what the execution has left. */
  step(state: Uint8Array, event: StepEvent, fuel: number): StepResult | Promise<StepResult>;
}

/** An authorised effect. (execution, turn, index) names it, so that it can be performed exactly once. */
export interface EffectRequest {
  readonly index: number;
  readonly kind: EffectKind;
  readonly request: JsonValue;
  /** hashOf of the request. */
  readonly requestHash: string;
}

/** The answers to the effects of a turn, in their order; undefined where the effect is performed elsewhere. */
export type EffectAnswers = readonly (EffectResult | undefined)[];

/** Performs the effects of a turn, or leaves them to whoever resumes the execution. What it throws ends the drive. */
export interface EffectHandler {
  perform(effects: readonly EffectRequest[], turn: number): EffectAnswers | Promise<EffectAnswers>;
}

export interface EffectTrace {
  readonly turn: number;
  readonly index: number;
  readonly kind: EffectKind;
  readonly requestHash: string;
  readonly resultHash: string;
  readonly ok: boolean;
}

/**
 * A hash chain over the effects of an execution: every link is the SHA-256 over the one before (64 hex digits) and the canonical
 * JSON of an {@link EffectTrace}. Its length does not grow with the execution's.
 */
export interface Transcript {
  readonly hash: string;
  readonly length: number;
}

/** Where an execution stands after a step: with the answers to the effects that it asked for, it goes on anywhere. */
export interface Checkpoint {
  readonly state: Uint8Array;
  readonly turn: number;
  readonly time: number;
  readonly fuel: number;
  readonly memoryBytes: number;
  readonly modelCalls: number;
  readonly log: readonly string[];
  readonly transcript: Transcript;
}

/** An execution that waits for effects that its handler does not perform. */
export interface Suspension {
  readonly checkpoint: Checkpoint;
  /** Every effect of the turn, refused ones included. */
  readonly asked: readonly EffectRequest[];
  readonly answers: EffectAnswers;
}

/** A suspension with every answer: where to go on. */
export type Resumption = Suspension & { readonly answers: readonly EffectResult[] };

/** Why an execution failed: a {@link TrapKind}, or one of these. The last two end a long execution from outside. */
export type FailureCode =
  TrapKind | 'too-many-turns' | 'bad-output' | 'agent-failed' | 'unrecorded-effect' | 'budget-exhausted' | 'cancelled';

/**
 * What came of one execution: plain JSON without clock or machine, so that the same (agent, input, seed, effect
 * results) gives the same record everywhere.
 */
export interface ExecutionRecord {
  readonly status: 'completed' | 'failed';
  readonly output?: JsonValue;
  readonly reason?: { readonly code: FailureCode; readonly message: string };
  readonly fuel: number;
  readonly memoryBytes: number;
  readonly turns: number;
  /** Effects `infer` and `embed` that were answered. */
  readonly modelCalls: number;
  /** The effects up to the last checkpoint. */
  readonly transcript: Transcript;
  /** The effects since then. */
  readonly effects: readonly EffectTrace[];
  readonly log: readonly string[];
  readonly priceVersion: number;
}

/** A record without what depends on where the execution was left and resumed. */
export type KeptRecord = Omit<ExecutionRecord, 'effects'>;

/** One execution, ready to be driven. */
export interface Execution {
  readonly engine: StepEngine;
  readonly input: { readonly payload: Uint8Array; readonly features: Float64Array };
  readonly seed: bigint;
  readonly limits: ExecutionLimits;
  /** Effects of other kinds are answered with `CHIMERA_FORBIDDEN`, unseen by the handler. */
  readonly capabilities: readonly EffectKind[];
  readonly effects: EffectHandler;
  /** Problems of an output under the task type's output schema; none where it is accepted. */
  readonly validateOutput?: (output: JsonValue) => readonly Problem[];
  /** Version of the price table that the engine counts fuel in. */
  readonly priceVersion: number;
}
