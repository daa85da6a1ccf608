import { z } from 'zod';
import type { JsonValue } from '../../contracts/records.ts';
import { effectError } from './results.ts';
import type { EffectResult } from './types.ts';

const YEAR_MS = 366 * 86_400_000;

/** A question to people. */
export const askRequest = z.strictObject({
  question: z.string().min(1).max(4000),
  /** The answers to choose from; without them any JSON is one. */
  options: z.array(z.json()).min(1).max(32).optional(),
  /** After so many milliseconds `default` is the answer, or, without one, the effect fails. */
  timeoutMs: z.int().positive().max(YEAR_MS).optional(),
  default: z.json().optional(),
});

/** A task for another agent. The effect is answered when that task is done. */
export const spawnRequest = z.strictObject({
  taskType: z.string().min(1).max(128),
  payload: z.json(),
  /** 1 (first) to 5. */
  priority: z.int().min(1).max(5).optional(),
  /** Indices of other `spawn-task` effects of the same turn that have to be completed first. */
  after: z.array(z.int().min(0)).max(64).default([]),
});

/** A call of a tool that the operator has registered. */
export const toolRequest = z.strictObject({
  tool: z.string().min(1).max(200),
  input: z.json().default({}),
});

export type AskRequest = z.output<typeof askRequest>;
export type SpawnRequest = z.output<typeof spawnRequest>;
export type ToolRequest = z.output<typeof toolRequest>;

/** The request, understood; or the answer to one that cannot be, with every problem. */
export function readRequestAs<S extends z.ZodType>(schema: S, request: JsonValue): z.output<S> | EffectResult {
  const parsed = schema.safeParse(request);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.map((part) => `/${String(part)}`).join('') || '/'}: ${message}`,
  );
  return effectError('CHIMERA_INVALID_INPUT', problems.join('; '));
}

/**
 * The spawned tasks of one turn in an order in which every one comes after those that it waits for; undefined where they wait for
 * each other in a circle, or for what is no spawned task of this turn. (Kahn 1962)
 */
export function spawnOrder(after: ReadonlyMap<number, readonly number[]>): number[] | undefined {
  const order: number[] = [];
  const waiting = new Map(after);
  while (waiting.size > 0) {
    const ready = [...waiting].filter(([, needs]) => needs.every((need) => after.has(need) && !waiting.has(need)));
    if (ready.length === 0) return undefined;
    for (const [index] of ready) {
      order.push(index);
      waiting.delete(index);
    }
  }
  return order;
}
