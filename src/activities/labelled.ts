import type { JsonObject } from '../contracts/records.ts';
import { labelledOf, type Labelled } from '../core/curation/cut.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { ActivityDeps } from './deps.ts';
import { fabricType } from './runs.ts';

/** Ordinals that are read and prepared at a time. */
const CHUNK = 1000;

/**
 * The tasks below an ordinal that show the right answer, as their agents saw them, in order. Reads the stream up to the
 * watermark only, so that the same ordinal gives the same tasks for ever.
 * @param progress told after each chunk how far it has read
 */
export async function readLabelled(
  { stores, fabric }: Pick<ActivityDeps, 'stores' | 'fabric'>,
  project: string,
  type: TaskType,
  upto: number,
  signal: AbortSignal,
  progress: (read: number) => void = () => undefined,
): Promise<Labelled[]> {
  const labelled: Labelled[] = [];
  for (let from = 0; from < upto; from += CHUNK) {
    signal.throwIfAborted();
    const to = Math.min(from + CHUNK, upto);
    const [tasks, demonstrations, scores] = await Promise.all([
      stores.tasks.range(project, type.name, from, to),
      stores.feedback.demonstrations(project, type.name, from, to),
      stores.scores.range(project, type.name, from, to),
    ]);
    const shown = new Map(demonstrations.filter(({ late }) => !late).map((row) => [row.taskId, row.value]));
    const known = tasks.filter((task) => shown.has(task.taskId));
    const results = await fabric.prepare(
      { taskType: fabricType(type), payloads: known.map((task) => task.payload as JsonObject) },
      { signal },
    );
    const prepared = results.map((result) => ('error' in result ? undefined : result));
    labelled.push(...labelledOf(type, known, prepared, shown, scores));
    progress(to);
  }
  return labelled;
}
