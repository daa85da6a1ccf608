// Generated from wit/agent.wit by scripts/wit-types.ts: do not change it here.
/** @module Interface chimera:agent/types@1.0.0 **/
/**
 * The task as the agent sees it.
 */
export interface TaskInput {
  /**
   * Canonical JSON (UTF-8) of the normalised payload.
   */
  payload: Uint8Array;
  /**
   * The numeric view of the payload, in the order the task type declares its features.
   */
  features: Float64Array;
}
/**
 * The answer to one effect, in the order in which the effects were asked for.
 */
export interface EffectResult {
  ok: boolean;
  /**
   * Canonical JSON (UTF-8) of the result, or of `{"code","message"}` where `ok` is false.
   */
  body: Uint8Array;
  /**
   * The numeric view of the result, for example the scores of an `infer`; empty where there is none.
   */
  scores: Float64Array;
}
export type EventBody = EventBodyStart | EventBodyResults;
export interface EventBodyStart {
  tag: 'start';
  val: TaskInput;
}
export interface EventBodyResults {
  tag: 'results';
  val: Array<EffectResult>;
}
export interface Event {
  /**
   * 0 for the first step of an execution.
   */
  turn: number;
  /**
   * The seed of the execution: all randomness an agent may use derives from it.
   */
  seed: bigint;
  /**
   * Virtual time in milliseconds since the execution started; only `sleep` moves it.
   */
  time: bigint;
  body: EventBody;
}
/**
 * # Variants
 *
 * ## `"infer"`
 *
 * ## `"embed"`
 *
 * ## `"memory"`
 *
 * ## `"http"`
 *
 * ## `"tool"`
 *
 * ## `"ask-human"`
 *
 * ## `"spawn-task"`
 *
 * ## `"sleep"`
 */
export type EffectKind = 'infer' | 'embed' | 'memory' | 'http' | 'tool' | 'ask-human' | 'spawn-task' | 'sleep';
export interface Effect {
  kind: EffectKind;
  /**
   * Canonical JSON (UTF-8) of the request. `infer`: {"model": name, "input": JSON pointer into the payload}; docs/agents.md
   * has the others.
   */
  request: Uint8Array;
}
export type Outcome = OutcomeDone | OutcomeFail | OutcomeEffects;
/**
 * The output: JSON (UTF-8) that the task type's output schema accepts.
 */
export interface OutcomeDone {
  tag: 'done';
  val: Uint8Array;
}
/**
 * The agent gives up, with a reason for people.
 */
export interface OutcomeFail {
  tag: 'fail';
  val: string;
}
export interface OutcomeEffects {
  tag: 'effects';
  val: Array<Effect>;
}
export interface StepResult {
  /**
   * At most 64 KiB; handed to the next step unchanged.
   */
  state: Uint8Array;
  outcome: Outcome;
  log: Array<string>;
}
