import { ChimeraError } from '../contracts/errors.ts';
import type { DatasetExample } from '../contracts/records.ts';
import { readJsonLines } from '../core/canonical/json-lines.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { Stores } from '../stores/index.ts';

const KEPT = 4;
const cache = new Map<string, readonly DatasetExample[]>();

/**
 * The examples of a dataset version in the order of their ordinals. The latest few are kept: every shard of a search reads
 * the same one, and it is immutable.
 */
export async function readDataset(stores: Stores, project: string, id: string): Promise<readonly DatasetExample[]> {
  const key = `${project}/${id}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const dataset = await stores.datasets.get(project, id);
  if (dataset === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'dataset', name: id });
  const examples = readJsonLines<DatasetExample>(await stores.artifacts.get(dataset.artifact));
  cache.set(key, examples);
  for (const oldest of [...cache.keys()].slice(0, -KEPT)) cache.delete(oldest);
  return examples;
}

/**
 * The task type that a dataset was cut under: what is made from it is made by that version, whatever came since. `name` for
 * a dataset that does not say.
 */
export async function typeOfDataset(
  stores: Stores,
  project: string,
  datasetId: string,
  name: string,
): Promise<TaskType> {
  const sheet = (await stores.datasets.get(project, datasetId))?.datasheet;
  const [, own, version] = /^(.*)@(\d+)$/.exec(typeof sheet?.taskType === 'string' ? sheet.taskType : '') ?? [];
  if (own === undefined) return stores.taskTypes.require<TaskType>(project, name);
  return stores.taskTypes.require<TaskType>(project, own, Number(version));
}
