import type { RolloutDocument } from '../activities/rollout.ts';
import { judgementIds } from '../activities/evaluation.ts';
import type { ExperimentDocument } from '../activities/search-material.ts';
import type { AgentVersion, DatasetRecord, ModelRecord } from '../contracts/records.ts';
import type { ExperimentRecord, RolloutRecord, Stores } from '../stores/index.ts';
import type { NamedArtifact } from './artifacts.ts';

/** Everything of a task type, or what one agent version came from. */
export interface TypeScope {
  readonly taskType: string;
  /** Ordinals below this were consumed, or are needed. */
  readonly upto: number;
  readonly datasets: readonly DatasetRecord[];
  readonly models: readonly ModelRecord[];
  readonly experiments: readonly ExperimentRecord[];
  readonly rollouts: readonly RolloutRecord[];
}

export interface Scope {
  readonly types: readonly TypeScope[];
  readonly agents: readonly AgentVersion[];
  /** IDs of judgements. */
  readonly judgements: readonly string[];
  readonly artifacts: readonly NamedArtifact[];
  /** Nothing was left out. */
  readonly whole: boolean;
}

async function allOfType(stores: Stores, project: string, taskType: string): Promise<TypeScope> {
  const [datasets, models, experiments, rollouts, monitor] = await Promise.all([
    stores.datasets.list(project, taskType),
    stores.models.list(project, { taskType }),
    stores.experiments.list(project, taskType),
    stores.rollouts.list(project, taskType),
    stores.kpi.monitor(project, taskType),
  ]);
  return { taskType, upto: monitor?.consumedTo ?? 0, datasets, models, experiments, rollouts };
}

/** The whole project. */
export async function wholeScope(stores: Stores, project: string): Promise<Scope> {
  const types: TypeScope[] = [];
  for (const { name } of await stores.taskTypes.list(project)) types.push(await allOfType(stores, project, name));
  const agents: AgentVersion[] = [];
  for (const { agent } of await stores.agents.list(project))
    agents.push(...(await stores.agents.versionsOf(project, agent)));
  const judgements = await judgementIds(stores, project);
  return { types, agents, judgements, artifacts: artifactsOf(types, agents), whole: true };
}

/**
 * What an agent version came from: its ancestors, their experiments, models and datasets, the rollouts that decided on
 * them, and the stream as far as any of these looked.
 */
export async function lineageScope(stores: Stores, project: string, version: AgentVersion): Promise<Scope> {
  const agents: AgentVersion[] = [];
  const waiting = [version];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (agents.some(({ id }) => id === next!.id)) continue;
    agents.push(next);
    for (const parent of next.parents) waiting.push(await stores.agents.require(project, parent));
  }
  const ids = new Set(agents.map(({ id }) => id));
  const searches = new Set(agents.flatMap(({ experiment }) => experiment ?? []));
  const types: TypeScope[] = [];
  for (const { name } of await stores.taskTypes.list(project)) {
    const all = await allOfType(stores, project, name);
    const experiments = all.experiments.filter(({ id }) => searches.has(id));
    const documents = experiments.map(({ document }) => document as unknown as ExperimentDocument);
    const modelIds = new Set([
      ...documents.flatMap((document) => document.modelIds),
      ...agents.flatMap(({ manifest }) => Object.values(manifest.models)),
    ]);
    const models = all.models.filter(({ id }) => modelIds.has(id));
    const datasetIds = new Set(
      [...documents, ...models.map(({ dataset: datasetId }) => ({ datasetId }))].map((d) => d.datasetId),
    );
    const datasets = all.datasets.filter(({ id }) => datasetIds.has(id));
    const rollouts = all.rollouts.filter(({ challenger }) => ids.has(challenger));
    const ends = [
      ...datasets.map(({ uptoOrdinal }) => uptoOrdinal),
      ...rollouts.map(({ document }) => (document as unknown as RolloutDocument).consumedTo),
    ];
    if (ends.length > 0)
      types.push({
        ...all,
        upto: Math.min(all.upto, Math.max(...ends)),
        datasets,
        models,
        experiments,
        rollouts,
      });
  }
  return { types, agents, judgements: [], artifacts: artifactsOf(types, agents), whole: false };
}

function artifactsOf(types: readonly TypeScope[], agents: readonly AgentVersion[]): NamedArtifact[] {
  return [
    ...types.flatMap(({ datasets, models }) => [
      ...datasets.map(({ taskType, version, artifact: ref }) => ({
        name: `dataset ${taskType} version ${version}`,
        ref,
      })),
      ...models.map(({ name, artifact: ref }) => ({ name: `model ${name}`, ref })),
    ]),
    ...agents.map(({ agent, module: ref }) => ({ name: `agent ${agent}`, ref })),
  ];
}
