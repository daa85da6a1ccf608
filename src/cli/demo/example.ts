import { pathToFileURL, fileURLToPath } from 'node:url';
import { ChimeraError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/records.ts';
import type { Genome } from '../../core/evolution/genome.ts';
import type { TaskType } from '../../core/validation/task-type.ts';

/** The acts of the stream plan: see DESIGN.md, "The example that everything is shown on". */
export const PARTS = ['stream-1', 'rollout-1', 'stream-2', 'rollout-2', 'judge'] as const;
export type Part = (typeof PARTS)[number];

/** One task of an example, and the right answer that its user would give later. */
export interface ExampleItem {
  id: string;
  payload: JsonObject;
  expected: JsonObject;
  part: Part;
}

/** What an example folder exports from `demo.ts`: all that the platform must know to show itself on it. */
export interface DemoExample {
  title: string;
  /** What one task is called: "mail", in the plural. */
  noun: string;
  taskType: TaskType;
  /** The agent that serves before anything is learned. */
  baseline: { agent: string; description: string; genome: Genome };
  /** The whole stream in order. `limit`: so many items only, in proportion. */
  load(options: { seed: string; limit?: number }): Promise<ExampleItem[]>;
  /** A payload for the command that a reader pastes. */
  sample: JsonObject;
}

const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));

/** The example of that name in `examples/`. */
export async function loadExample(name: string): Promise<DemoExample> {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'example', name });
  const file = pathToFileURL(`${EXAMPLES}${name}/demo.ts`).href;
  return ((await import(file)) as { example: DemoExample }).example;
}
