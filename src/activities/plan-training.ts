import type { AdapterSpec, AdapterTask } from '../contracts/adapters.ts';
import { ChimeraError, invalidInput } from '../contracts/errors.ts';
import { answersOf, misfit, type AnswerTask } from '../core/training/adapter/answers.ts';
import { ADAPTER_VARIANTS, MERGE_METHODS, mergeName } from '../core/training/adapter/variants.ts';
import { LINEAR_VARIANTS } from '../core/training/linear/spec.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { Stores } from '../stores/index.ts';
import { readDataset, typeOfDataset } from './datasets.ts';
import { adapterBefore } from './merge-adapters.ts';

export interface PlanInput {
  project?: string;
  taskType?: string;
  datasetId?: string;
  variants?: string[];
  adapters?: AdapterSpec[];
}

/** What is trained on. */
interface Subject {
  readonly project: string;
  readonly datasetId: string;
  readonly type: TaskType;
}

const LINEAR: readonly string[] = LINEAR_VARIANTS.map(({ name }) => name);

/** Does a specification train a decoder to answer? */
export const isAnswerSpec = (spec: AdapterSpec): spec is AdapterSpec & { task: AnswerTask } =>
  spec.task !== 'classification';

/**
 * The names of what is to be trained. What cannot be is refused here, before anybody waits for a device.
 * @throws `CHIMERA_NOT_FOUND` for variants and base models that are not there, `CHIMERA_INVALID_INPUT` where a task does not fit the task
 * type, `CHIMERA_NO_DATA` where the dataset has no right answers
 */
export async function planVariants(stores: Stores, input: PlanInput): Promise<string[]> {
  const { project, variants, adapters = [] } = input;
  const specs = [...adapters, ...ADAPTER_VARIANTS];
  refuseUnknown(variants ?? [], [...LINEAR, ...specs.map(({ name }) => name)]);
  const subject = await subjectOf(stores, input);
  // Where there are no labels, only what is asked for can be meant.
  const isOwnOnly =
    adapters.length > 0 && subject !== undefined && misfit(subject.type, 'classification') !== undefined;
  const asked = variants ?? (isOwnOnly ? adapters.map(({ name }) => name) : undefined);
  const wanted = specs.filter(({ name }) => asked?.includes(name) ?? true);
  const present = await thoseWithBase(stores, project, wanted, asked === undefined ? adapters : wanted);
  const names = asked ?? [...LINEAR, ...present.map(({ name }) => name)];
  if (subject === undefined) return names;
  const isLinear = names.some((name) => LINEAR.includes(name));
  const tasks = new Set([...present.map(({ task }) => task), ...(isLinear ? (['classification'] as const) : [])]);
  await requireLearnable(stores, subject, tasks);
  const classifiers = present.filter((spec) => !isAnswerSpec(spec));
  return asked ?? [...names, ...(await mergesOf(stores, subject, classifiers))];
}

function refuseUnknown(names: readonly string[], known: readonly string[]): void {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const what = `model variant (known: ${known.join(', ')})`;
  throw new ChimeraError('CHIMERA_NOT_FOUND', { what, name: unknown.join(', ') });
}

async function subjectOf(stores: Stores, { project, taskType, datasetId }: PlanInput): Promise<Subject | undefined> {
  if (project === undefined || taskType === undefined || datasetId === undefined) return undefined;
  return { project, datasetId, type: await typeOfDataset(stores, project, datasetId, taskType) };
}

/** Those whose base model the project has. @param needed must have theirs */
async function thoseWithBase(
  { baseModels }: Stores,
  project: string | undefined,
  specs: readonly AdapterSpec[],
  needed: readonly AdapterSpec[],
): Promise<AdapterSpec[]> {
  const isThere = await Promise.all(
    specs.map(async ({ base }) => project !== undefined && (await baseModels.get(project, base)) !== undefined),
  );
  const missing = specs.filter((spec, i) => !isThere[i] && needed.includes(spec));
  if (missing.length > 0) {
    throw new ChimeraError('CHIMERA_NOT_FOUND', {
      what: 'base model in this project (chimera models pull fetches it)',
      name: [...new Set(missing.map(({ base }) => base))].join(', '),
    });
  }
  return specs.filter((_, i) => isThere[i]);
}

async function requireLearnable(
  stores: Stores,
  { project, type, datasetId }: Subject,
  tasks: ReadonlySet<AdapterTask>,
): Promise<void> {
  const misfits = new Set([...tasks].flatMap((task) => misfit(type, task) ?? []));
  const problems = [...misfits].map((message) => ({ path: '/taskType', message }));
  if (problems.length > 0) throw invalidInput('the training', problems);
  if (!tasks.has('causal') && !tasks.has('preference')) return;
  const examples = await readDataset(stores, project, datasetId);
  for (const split of ['train', 'validation'] as const) {
    const part = examples.filter((example) => example.split === split);
    // Both tasks need a right answer, and where there is one there is a wrong one.
    if (answersOf(type, part, { task: 'causal', seed: '' }).length > 0) continue;
    const why = `none of ${part.length} ${split} examples of the dataset has a right answer at "${type.scorer.pointer}"`;
    throw new ChimeraError('CHIMERA_NO_DATA', { why });
  }
}

/** The merges of adapters with those before them. */
async function mergesOf(
  stores: Stores,
  { project, type, datasetId }: Subject,
  specs: readonly AdapterSpec[],
): Promise<string[]> {
  const before = await Promise.all(specs.map(({ name }) => adapterBefore(stores, project, type.name, name, datasetId)));
  return specs
    .filter((_, i) => before[i] !== undefined)
    .flatMap(({ name }) => MERGE_METHODS.map((method) => mergeName(name, method)));
}
