import type { TrapKind } from '../../core/execution/types.ts';

/** An instance of a guarded agent in its first state, whichever engine made it: what the canonical ABI and the meter need of it. */
export interface AgentInstance {
  /** Its linear memory as it is now. Calls may grow it: to be read again after each. */
  readonly memory: ArrayBuffer;
  /** The fuel that is left; below zero once it ran out. */
  fuel: number;
  /** The calls that may still be nested; below zero once they were too many. */
  depth: number;
  /** `cabi_realloc`, called for its pointer. */
  realloc(old: number, oldSize: number, alignment: number, size: number): number;
  /** `step` with its flattened parameters, called for the pointer of the result. */
  step(...flat: readonly (number | bigint)[]): number;
  /** Gives back what the engine holds for it. Nothing of it is used after. */
  release(): void;
}

/** A compiled agent, ready to be instantiated. */
export interface AgentModule {
  /** An instance in its first state, byte for byte: nothing tells what ran before it. Throws what {@link classify} knows where a segment does not fit. */
  instantiate(): AgentInstance;
  /** The kind of trap that something thrown by an instance is, or undefined where it is none that an agent can cause. */
  classify(error: unknown): TrapKind | undefined;
  /** Gives back what the engine holds for it. It is not instantiated after. */
  release(): void;
}
