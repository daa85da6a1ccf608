import { fabricType } from '../activities/runs.ts';
import type { JsonObject } from '../contracts/records.ts';
import { valueAt } from '../core/kpi/pointer.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import { createFabric } from '../fabric/index.ts';
import type { Stores } from '../stores/index.ts';

const SHOWN = 72;

/** By task id the first line of what its agent read, where there is a text. Payloads are prepared in a sandbox. */
export async function excerptsOf(
  stores: Stores,
  project: string,
  type: TaskType,
  taskIds: readonly string[],
): Promise<Map<string, string>> {
  const tasks = (await Promise.all(taskIds.map((id) => stores.tasks.get(project, id)))).filter(
    (task) => task !== undefined,
  );
  if (tasks.length === 0) return new Map();
  const payloads = tasks.map((task) => task.payload as JsonObject);
  const prepared = type.preprocess.length === 0 ? payloads : await prepare(type, payloads);
  return new Map(
    tasks.flatMap(({ taskId }, i): [string, string][] => {
      const payload = prepared[i];
      const line = payload === undefined ? '' : firstLine(textOf(type, payload));
      return line === '' ? [] : [[taskId, line]];
    }),
  );
}

async function prepare(type: TaskType, payloads: JsonObject[]): Promise<(JsonObject | undefined)[]> {
  const fabric = createFabric({ poolSize: 1, resolve: () => Promise.reject(new Error('nothing runs here')) });
  try {
    const results = await fabric.prepare({ taskType: fabricType(type), payloads });
    return results.map((result) => ('error' in result ? undefined : result.payload));
  } finally {
    fabric.close();
  }
}

function textOf(type: TaskType, payload: JsonObject): string {
  const text = type.text === undefined ? undefined : valueAt(payload, type.text);
  const first = Object.values(payload).find((value) => typeof value === 'string');
  return typeof text === 'string' ? text : typeof first === 'string' ? first : '';
}

/** The first line with something in it, short, and without what a terminal would take for a command. */
function firstLine(text: string): string {
  const line = text
    .split('\n')
    .map((candidate) => candidate.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim())
    .find((candidate) => candidate !== '');
  const shown = [...(line ?? '')];
  return shown.length > SHOWN ? `${shown.slice(0, SHOWN - 1).join('')}…` : shown.join('');
}
