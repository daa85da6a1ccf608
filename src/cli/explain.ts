import type { AgentVersion } from '../contracts/records.ts';
import { diffGenomes, explainGenome } from '../core/evolution/explain.ts';
import { parseGenome } from '../core/evolution/genome.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { Stores } from '../stores/index.ts';
import { short } from './output.ts';
import { theTaskType } from './resolve-agent.ts';

/** A task on which an agent and its parent disagree in being right. */
export interface Difference {
  readonly ordinal: number;
  readonly taskId: string;
  readonly expected?: string;
  readonly parent?: string;
  readonly agent?: string;
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
}

/** What an agent does and how it differs from its parent, in the program and on the tasks that both ran. */
export async function explainAgent(
  stores: Stores,
  project: string,
  version: AgentVersion,
  taskTypeName?: string,
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
    fixed: differences(true),
    broken: differences(false),
  };
}

async function taskTypeOf(stores: Stores, project: string, { experiment }: AgentVersion): Promise<string> {
  const found = experiment === undefined ? undefined : await stores.experiments.get(project, experiment);
  return found?.taskType ?? theTaskType(stores, project, undefined);
}

export function explanationText(explanation: Explanation, limit: number): string {
  const { version, agent, description, program, parent, changes, compared, fixed, broken } = explanation;
  const lines = [`${agent} ${short(version)}: ${description}`, ''];
  lines.push(program ?? 'It was not evolved here: there is no program to show.');
  if (parent === undefined) return [...lines, '', 'It has no parent.'].join('\n');
  lines.push('', `Changes to its parent ${short(parent)}:`);
  if (changes === undefined) lines.push('  the parent has no program to compare with');
  else if (changes.length === 0) lines.push('  none');
  else lines.push(...changes.map((change) => `  ${change}`));
  lines.push('', `Both ran on ${compared} scored tasks: ${fixed.length} fixed, ${broken.length} broken.`);
  lines.push(...differenceLines('fixed', fixed, limit), ...differenceLines('broke', broken, limit));
  return lines.join('\n');
}

function differenceLines(verb: string, differences: readonly Difference[], limit: number): string[] {
  const lines = differences
    .slice(0, limit)
    .map(
      ({ ordinal, taskId, expected, parent, agent }) =>
        `  ${verb} task ${ordinal} (${taskId}): right is ${expected ?? '?'}, parent ${parent ?? '?'}, this ${agent ?? '?'}`,
    );
  return differences.length > limit ? [...lines, `  … and ${differences.length - limit} more`] : lines;
}
