import type { Problem } from '../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../contracts/records.ts';
import type { EffectAnswer, EffectCall } from './answer.ts';

/** What every tool says of itself in temporal.yaml. */
interface ToolFacts {
  readonly name: string;
  readonly description: string;
  /** JSON Schemas. */
  readonly input: JsonObject;
  readonly output?: JsonObject;
  readonly timeoutMs: number;
  /** Money units for one call. */
  readonly price: number;
}

/** A tool that the worker performs itself, or an activity on a queue of the user's own worker. */
export type Tool = ToolFacts &
  ({ readonly kind: 'module' } | { readonly kind: 'activity'; readonly queue: string; readonly activity: string });

/** The default export of a tool's module. */
export type ToolFunction = (input: JsonValue, call: EffectCall) => JsonValue | Promise<JsonValue>;

export interface ToolRegistry {
  get(name: string): Tool | undefined;
  /** In the order of the manifest. */
  list(): readonly Tool[];
  /** What is wrong with an input; an unknown tool is a problem too. */
  check(name: string, input: JsonValue): Problem[];
  /** Calls a tool of kind `module`. Throws `CHIMERA_CANCELLED` when `call.signal` is aborted. */
  perform(name: string, input: JsonValue, call: EffectCall): Promise<EffectAnswer>;
  /** What a tool of kind `activity` returned, checked like the return of a module: as JSON, by size, depth and schema. */
  accept(name: string, output: unknown): EffectAnswer;
}
