import { ChimeraError } from '../contracts/errors.ts';
import type { DatasetExample, ModelRecord } from '../contracts/records.ts';
import type { Candidate } from '../core/evolution/breeding.ts';
import {
  evaluateColumns,
  FAILED,
  ruleCoverage,
  UNSCORABLE,
  type Evaluation,
  type ResultColumns,
} from '../core/evolution/fitness.ts';
import { createSearch, type SearchState } from '../core/evolution/search.ts';
import { valueAt } from '../core/kpi/pointer.ts';
import { EVALUATION_STATUS } from '../fabric/index.ts';
import type { Stores } from '../stores/index.ts';
import { callPrice } from './costs.ts';
import { readDataset, typeOfDataset } from './datasets.ts';
import type { ActivityDeps } from './deps.ts';
import { fabricType } from './runs.ts';
import {
  agentOf,
  asJsonObject,
  expectedLabel,
  incumbentOf,
  modelDirectory,
  requireLabels,
  runItem,
  searchContext,
  type ExperimentDocument,
  type LabelType,
} from './search-material.ts';

/** A candidate's results as plain JSON, a value an example. */
export interface Columns extends ResultColumns {
  predicted: number[];
  fuel: number[];
  modelPrice: number[];
}

/** What an experiment works with, read once. */
export interface ExperimentMaterial {
  readonly type: LabelType;
  /** Names → ids of the models that its genomes may ask. */
  readonly directory: ReadonlyMap<string, string>;
  readonly champion: Awaited<ReturnType<Stores['agents']['require']>>;
  readonly models: readonly ModelRecord[];
}

export async function experimentMaterial(
  stores: Stores,
  project: string,
  taskType: string,
  { datasetId, modelIds, champion: championId }: Pick<ExperimentDocument, 'datasetId' | 'modelIds' | 'champion'>,
): Promise<ExperimentMaterial> {
  const type = requireLabels(await typeOfDataset(stores, project, datasetId, taskType));
  const champion = await stores.agents.require(project, championId);
  const models = await Promise.all(
    modelIds.map(async (id) => {
      const model = await stores.models.get(project, id);
      if (model === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'model', name: id });
      return model;
    }),
  );
  return { type, champion, models, directory: modelDirectory(models, champion) };
}

/** The search before its first generation: a function of what the experiment's document names. */
export async function beginSearch(
  deps: Pick<ActivityDeps, 'stores' | 'learning'>,
  project: string,
  { type, champion, models }: ExperimentMaterial,
  { datasetId, settings }: Pick<ExperimentDocument, 'datasetId' | 'settings'>,
): Promise<SearchState> {
  const examples = await readDataset(deps.stores, project, datasetId);
  const incumbent = incumbentOf(champion, type.scorer.labels);
  return createSearch(settings, await searchContext(deps, type, examples, models, incumbent));
}

/** What candidates are measured on. */
export async function validationExamples(
  stores: Stores,
  project: string,
  datasetId: string,
): Promise<DatasetExample[]> {
  return (await readDataset(stores, project, datasetId)).filter((example) => example.split === 'validation');
}

/** Runs each candidate on each example in the sandbox; one result a candidate, in their order. */
export async function runCandidates(
  { stores, fabric, lendBlobs }: Pick<ActivityDeps, 'stores' | 'fabric' | 'lendBlobs'>,
  project: string,
  { type, directory }: Pick<ExperimentMaterial, 'type' | 'directory'>,
  candidates: readonly Candidate[],
  examples: readonly DatasetExample[],
  options: { signal: AbortSignal; onProgress?: (done: number, total: number) => void },
): Promise<Columns[]> {
  const agents = candidates.map(({ genome }) => agentOf(genome, directory));
  const lent = lendBlobs(agents);
  try {
    const { output, limits } = fabricType(type);
    const results = await fabric.evaluate(
      {
        agents: agents.map(({ sha256, manifest }) => ({ sha256, manifest })),
        taskType: limits === undefined ? { output } : { output, limits },
        items: examples.map(runItem),
      },
      options,
    );
    const { labels, pointer } = type.scorer;
    return await Promise.all(
      results.map(async (own, i) => {
        const { genome } = candidates[i]!;
        const price = await callPrice(stores, project, { genome: asJsonObject(genome), manifest: agents[i]!.manifest });
        const predicted = own.output.map((value, k) => {
          const status = own.status[k];
          if (status === EVALUATION_STATUS.unscorable) return UNSCORABLE;
          if (status !== EVALUATION_STATUS.completed || value === null) return FAILED;
          return labels.indexOf(String(valueAt(value, pointer)));
        });
        return { predicted, fuel: [...own.fuel], modelPrice: Array.from(own.modelCalls, price) };
      }),
    );
  } finally {
    lent.release();
  }
}

/** What the columns of candidates, parallel to the examples, mean for the search. */
export function evaluationsOf(
  type: LabelType,
  candidates: readonly Candidate[],
  columns: readonly ResultColumns[],
  examples: readonly DatasetExample[],
): Evaluation[] {
  const expected = examples.map((example) => expectedLabel(type, example));
  const features = examples.map((example) => example.features);
  return candidates.map(({ id, genome }, i) =>
    evaluateColumns(id, expected, columns[i]!, type.scorer.labels.length, ruleCoverage(genome, features)),
  );
}

/** The rows of a shard: every `of`-th, so that shards are alike. */
export const shardOf = <T>(rows: readonly T[], shard: number, of: number): T[] =>
  rows.filter((_, i) => i % of === shard);

/** The rows of all shards in their order before they were dealt out: the sums over them must not hang on how many there are. */
export function joinShards<T>(shards: readonly (readonly T[])[]): T[] {
  const length = shards.reduce((sum, shard) => sum + shard.length, 0);
  return Array.from({ length }, (_, i) => shards[i % shards.length]![Math.floor(i / shards.length)]!);
}
