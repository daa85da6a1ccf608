import type { AgentVersion } from '../contracts/records.ts';
import { judgementIds, readEvaluation } from '../activities/evaluation.ts';
import { diffGenomes, explainGenome } from '../core/evolution/explain.ts';
import { parseGenome } from '../core/evolution/genome.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { Stores } from '../stores/index.ts';
import { excerptsOf } from './excerpt.ts';
import { short } from './output.ts';
import { theTaskType } from './resolve-agent.ts';

/** A task on which an agent and its parent disagree in being right. */
export interface Difference {
  readonly ordinal: number;
  readonly taskId: string;
  readonly expected?: string;
  readonly parent?: string;
  readonly agent?: string;
  /** First line of what both read; of those that are shown. */
  readonly excerpt?: string;
}

/** How both did on the same held-out examples. */
export interface JudgedPair {
  readonly evaluation: string;
  readonly split: string;
  readonly examples: number;
  readonly fixed: number;
  readonly broken: number;
}

export interface Explanation {
  readonly version: string;
  readonly agent: string;
  readonly description: string;
  /** A line a rule; absent for an agent that was not evolved here. */
  readonly program?: string;
  readonly parent?: string;
  /** What it changed of its parent, a line a change. */
  readonly changes?: readonly string[];
  /** Tasks of the stream that both ran and were scored on. */
  readonly compared: number;
  readonly fixed: readonly Difference[];
  readonly broken: readonly Difference[];
  /** Every judgement that opened both, in their order. */
  readonly judged: readonly JudgedPair[];
}

/**
 * What an agent does and how it differs from its parent, in the program and on everything that both ran.
 * @param shown of so many fixed and so many broken tasks the excerpt is read
 */
export async function explainAgent(
  stores: Stores,
  project: string,
  version: AgentVersion,
  { taskType: taskTypeName, shown = 10 }: { taskType?: string | undefined; shown?: number } = {},
): Promise<Explanation> {
  const { id, agent, manifest, genome } = version;
  const taskType = taskTypeName ?? (await taskTypeOf(stores, project, version));
  const type = await stores.taskTypes.require<TaskType>(project, taskType);
  const names = type.features.map((feature) => feature.name);
  const [parentId] = version.parents;
  const parent = parentId === undefined ? undefined : await stores.agents.get(project, parentId);
  const end = await stores.tasks.nextOrdinal(project, taskType);
  const pairs = parent === undefined ? [] : await stores.scores.pairs(project, taskType, 0, end, parent.id, id);
  const differences = (fixed: boolean): Difference[] =>
    pairs
      .filter(({ champion, challenger }) => challenger.correct === fixed && champion.correct !== fixed)
      .map(({ ordinal, taskId, champion, challenger }) => ({
        ordinal,
        taskId,
        ...(challenger.expected === undefined ? {} : { expected: challenger.expected }),
        ...(champion.predicted === undefined ? {} : { parent: champion.predicted }),
        ...(challenger.predicted === undefined ? {} : { agent: challenger.predicted }),
      }));
  const fixed = differences(true);
  const broken = differences(false);
  const read = [...fixed.slice(0, shown), ...broken.slice(0, shown)].map(({ taskId }) => taskId);
  const excerpts = await excerptsOf(stores, project, type, read);
  const withExcerpt = (difference: Difference): Difference => {
    const excerpt = excerpts.get(difference.taskId);
    return excerpt === undefined ? difference : { ...difference, excerpt };
  };
  return {
    version: id,
    agent,
    description: manifest.description,
    ...(genome === undefined ? {} : { program: explainGenome(parseGenome(genome), names) }),
    ...(parent === undefined ? {} : { parent: parent.id }),
    ...(genome === undefined || parent?.genome === undefined
      ? {}
      : { changes: diffGenomes(parseGenome(parent.genome), parseGenome(genome), names) }),
    compared: pairs.length,
    fixed: fixed.map(withExcerpt),
    broken: broken.map(withExcerpt),
    judged: parent === undefined ? [] : await judgedPairs(stores, project, parent.id, id),
  };
}

async function judgedPairs(stores: Stores, project: string, parent: string, child: string): Promise<JudgedPair[]> {
  const pairs: JudgedPair[] = [];
  for (const evaluation of await judgementIds(stores, project)) {
    const { versions, expected, split } = await readEvaluation(stores, project, evaluation);
    const [before, after] = [parent, child].map((id) => versions.find(({ version }) => version === id)?.predicted);
    if (before === undefined || after === undefined) continue;
    const count = (right: typeof before, wrong: typeof before): number =>
      expected.filter((label, i) => right[i] === label && wrong[i] !== label).length;
    pairs.push({
      ...{ evaluation, split, examples: expected.length },
      ...{ fixed: count(after, before), broken: count(before, after) },
    });
  }
  return pairs;
}

async function taskTypeOf(stores: Stores, project: string, { experiment }: AgentVersion): Promise<string> {
  const found = experiment === undefined ? undefined : await stores.experiments.get(project, experiment);
  return found?.taskType ?? theTaskType(stores, project, undefined);
}

export function explanationText(explanation: Explanation, limit: number): string {
  const { version, agent, description, program, parent, changes, compared, fixed, broken, judged } = explanation;
  const lines = [`${agent} ${short(version)}: ${description}`, ''];
  lines.push(program ?? 'It was not evolved here: there is no program to show.');
  if (parent === undefined) return [...lines, '', 'It has no parent.'].join('\n');
  lines.push('', `Changes to its parent ${short(parent)}:`);
  if (changes === undefined) lines.push('  the parent has no program to compare with');
  else if (changes.length === 0) lines.push('  none');
  else lines.push(...changes.map((change) => `  ${change}`));
  lines.push('', `Both ran on ${compared} scored tasks: ${fixed.length} fixed, ${broken.length} broken.`);
  for (const pair of judged)
    lines.push(
      `Both were judged on ${pair.examples} held-out examples (${short(pair.evaluation)}): ${pair.fixed} fixed, ${pair.broken} broken.`,
    );
  lines.push(...differenceLines('fixed', fixed, limit), ...differenceLines('broke', broken, limit));
  return lines.join('\n');
}

function differenceLines(verb: string, differences: readonly Difference[], limit: number): string[] {
  const lines = differences
    .slice(0, limit)
    .map(
      ({ ordinal, taskId, expected, parent, agent, excerpt }) =>
        `  ${verb} task ${ordinal} (${taskId}): right is ${expected ?? '?'}, parent ${parent ?? '?'}, this ${agent ?? '?'}` +
        (excerpt === undefined ? '' : `\n      ${excerpt}`),
    );
  return differences.length > limit ? [...lines, `  … and ${differences.length - limit} more`] : lines;
}
