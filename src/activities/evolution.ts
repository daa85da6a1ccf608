import { ChimeraError } from '../contracts/errors.ts';
import type { EvolutionInput } from '../contracts/inputs.ts';
import type {
  AgentVersion,
  ArtifactRef,
  DatasetExample,
  JsonObject,
  JsonValue,
  ModelRecord,
} from '../contracts/records.ts';
import { canonicalBytes, hashOf } from '../core/canonical/canonical.ts';
import { archiveHash } from '../core/evolution/archive.ts';
import type { Candidate } from '../core/evolution/breeding.ts';
import { finalists } from '../core/evolution/finalists.ts';
import { evaluateColumns, FAILED, ruleCoverage, UNSCORABLE, type Evaluation } from '../core/evolution/fitness.ts';
import type { Genome } from '../core/evolution/genome.ts';
import { ask, createSearch, lineageRows, stopReason, tell, type SearchState } from '../core/evolution/search.ts';
import { valueAt } from '../core/kpi/pointer.ts';
import { EVALUATION_STATUS, type EvaluationColumns } from '../fabric/index.ts';
import { callPrice } from './costs.ts';
import { readDataset } from './datasets.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';
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
  type LabelType,
} from './search-material.ts';
import type { TaskType } from '../core/validation/task-type.ts';

export interface SearchHandle {
  id: string;
  state: ArtifactRef;
  text: string;
}

export interface AskedGeneration {
  number: number;
  candidates: number;
  asked: ArtifactRef;
  /** Why there is no further generation. */
  stop?: string;
}

export interface SearchResult {
  id: string;
  /** Version id of the agent that was champion when the search began. */
  champion: string;
  /** Version ids, in order of preference. */
  finalists: string[];
  archiveHash: string;
  lineageHash: string;
  evaluations: number;
  text: string;
}

export interface EvolutionActivities {
  startSearch(input: EvolutionInput): Promise<SearchHandle>;
  askGeneration(input: { project: string; search: string; state: ArtifactRef }): Promise<AskedGeneration>;
  evaluateShard(input: {
    project: string;
    search: string;
    asked: ArtifactRef;
    shard: number;
    of: number;
  }): Promise<ArtifactRef>;
  tellGeneration(input: {
    project: string;
    search: string;
    state: ArtifactRef;
    asked: ArtifactRef;
    results: ArtifactRef[];
  }): Promise<{ state: ArtifactRef; text: string }>;
  finishSearch(input: { project: string; search: string; state: ArtifactRef }): Promise<SearchResult>;
}

/** What an experiment's row holds. Everything but `result` is known before the first generation, and hashed into its id. */
export interface ExperimentDocument {
  datasetId: string;
  modelIds: string[];
  champion: string;
  settings: JsonObject;
  result?: Omit<SearchResult, 'text'>;
}

/** One candidate's results on the tasks of a shard. */
interface ShardColumns {
  candidate: string;
  predicted: number[];
  fuel: number[];
  modelPrice: number[];
}

const FINALISTS = 3;
const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;

export function createEvolutionActivities(deps: ActivityDeps): EvolutionActivities {
  const { stores, fabric } = deps;

  const store = async (value: unknown, kind: string): Promise<ArtifactRef> =>
    stores.artifacts.put(canonicalBytes(value), { kind });
  const load = async <T>(ref: ArtifactRef): Promise<T> =>
    JSON.parse(new TextDecoder().decode(await stores.artifacts.get(ref))) as T;

  async function experimentOf(project: string, id: string) {
    const experiment = await stores.experiments.get(project, id);
    if (experiment === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'experiment', name: id });
    const document = experiment.document as unknown as ExperimentDocument;
    const type = requireLabels(await stores.taskTypes.require<TaskType>(project, experiment.taskType));
    const champion = await stores.agents.require(project, document.champion);
    const models = await requireModels(project, document.modelIds);
    return { document, type, champion, models, directory: modelDirectory(models, champion) };
  }

  async function requireModels(project: string, ids: readonly string[]): Promise<ModelRecord[]> {
    return Promise.all(
      ids.map(async (id) => {
        const model = await stores.models.get(project, id);
        if (model === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'model', name: id });
        return model;
      }),
    );
  }

  const validationOf = async (project: string, datasetId: string): Promise<DatasetExample[]> =>
    (await readDataset(stores, project, datasetId)).filter((example) => example.split === 'validation');

  /** The rows of a shard: every `of`-th task, so that shards are alike. */
  const shardOf = <T>(rows: readonly T[], shard: number, of: number): T[] => rows.filter((_, i) => i % of === shard);

  async function columnsOf(
    project: string,
    type: LabelType,
    genome: Genome,
    directory: ReadonlyMap<string, string>,
    columns: EvaluationColumns,
  ): Promise<Omit<ShardColumns, 'candidate'>> {
    const { manifest } = agentOf(genome, directory);
    const price = await callPrice(stores, project, { genome: asJsonObject(genome), manifest });
    const predicted = columns.output.map((output, i) => {
      const status = columns.status[i];
      if (status === EVALUATION_STATUS.unscorable) return UNSCORABLE;
      if (status !== EVALUATION_STATUS.completed || output === null) return FAILED;
      return type.scorer.labels.indexOf(String(valueAt(output, type.scorer.pointer)));
    });
    return { predicted, fuel: [...columns.fuel], modelPrice: Array.from(columns.modelCalls, price) };
  }

  return {
    async startSearch({
      project,
      taskType,
      seed,
      datasetId,
      modelIds,
      population,
      generations,
      evaluations,
      fuel,
      plateau,
    }) {
      const type = requireLabels(await stores.taskTypes.require<TaskType>(project, taskType));
      const deployment = await stores.deployments.current(project, taskType);
      if (deployment === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'deployment', name: taskType });
      const champion = await stores.agents.require(project, deployment.champion);
      const models = await requireModels(project, modelIds);
      const examples = await readDataset(stores, project, datasetId);
      const incumbent = incumbentOf(champion, type.scorer.labels);
      const context = await searchContext(stores, type, examples, models, incumbent);
      const settings = { seed, population, generations, evaluations, fuel, plateau };
      const state = createSearch(settings, context);
      const document: ExperimentDocument = { datasetId, modelIds, champion: champion.id, settings };
      const id = hashOf({ ...document, taskType }).slice(0, 32);
      await stores.experiments.put(project, { id, taskType, document: asJsonObject(document) });
      const validation = examples.filter((example) => example.split === 'validation').length;
      return {
        id,
        state: await store(state, 'search-state'),
        text: `search ${id.slice(0, 8)}: ${models.length} models, ${context.features.length} features, ${validation} validation tasks`,
      };
    },

    async askGeneration({ state }) {
      const search = await load<SearchState>(state);
      const stop = stopReason(search);
      const candidates = ask(search);
      const asked = await store(candidates, 'generation');
      return {
        number: search.generation,
        candidates: candidates.length,
        asked,
        ...(stop === undefined ? {} : { stop }),
      };
    },

    async evaluateShard({ project, search, asked, shard, of }) {
      return heartbeating(async (signal, note) => {
        const { document, type, directory } = await experimentOf(project, search);
        const candidates = await load<Candidate[]>(asked);
        const rows = shardOf(await validationOf(project, document.datasetId), shard, of);
        const dataHash = hashOf({ dataset: document.datasetId, split: 'validation', shard, of });
        const known = await stores.evaluations.getMany(
          project,
          dataHash,
          candidates.map((candidate) => candidate.id),
        );
        const fresh = candidates.filter((candidate) => !known.has(candidate.id));
        if (fresh.length > 0) {
          const agents = fresh.map(({ genome }) => agentOf(genome, directory));
          const lent = deps.lendBlobs(agents);
          try {
            const { output, limits } = fabricType(type);
            const results = await fabric.evaluate(
              {
                agents: agents.map(({ sha256, manifest }) => ({ sha256, manifest })),
                taskType: limits === undefined ? { output } : { output, limits },
                items: rows.map(runItem),
              },
              { signal, onProgress: (done, total) => note({ done, total }) },
            );
            const documents: { subject: string; document: JsonValue }[] = [];
            for (const [i, { id, genome }] of fresh.entries()) {
              const columns = await columnsOf(project, type, genome, directory, results[i]!);
              known.set(id, asJsonObject(columns));
              documents.push({ subject: id, document: asJsonObject(columns) });
            }
            await stores.evaluations.putMany(project, dataHash, documents);
          } finally {
            lent.release();
          }
        }
        const columns = candidates.map(({ id }) => ({ ...(known.get(id) as unknown as ShardColumns), candidate: id }));
        return store(columns, 'shard-results');
      });
    },

    async tellGeneration({ project, search, state, asked, results }) {
      const { document, type } = await experimentOf(project, search);
      const before = await load<SearchState>(state);
      const candidates = await load<Candidate[]>(asked);
      const shards = await Promise.all(results.map((ref) => load<ShardColumns[]>(ref)));
      const rows = await validationOf(project, document.datasetId);
      const inShards = shards.map((_, i) => shardOf(rows, i, shards.length));
      const expected = inShards.flat().map((example) => expectedLabel(type, example));
      const features = inShards.flat().map((example) => example.features);
      const evaluations: Evaluation[] = candidates.map(({ id, genome }, i) => {
        const own = shards.map((columns) => columns[i]!);
        const columns = {
          predicted: own.flatMap((column) => column.predicted),
          fuel: own.flatMap((column) => column.fuel),
          modelPrice: own.flatMap((column) => column.modelPrice),
        };
        return evaluateColumns(id, expected, columns, type.scorer.labels.length, ruleCoverage(genome, features));
      });
      const lineage = lineageRows(before, evaluations);
      const genomes = new Map(candidates.map(({ id, genome }) => [id, genome]));
      await stores.candidates.putMany(
        project,
        search,
        lineage.map(({ id, generation, index, parents, operator, evaluation, status }) => ({
          id,
          generation,
          index,
          parents: [...parents],
          operator,
          genomeHash: id,
          quality: evaluation.quality,
          cost: evaluation.cost,
          document: asJsonObject({ genome: genomes.get(id), evaluation, status }),
        })),
      );
      const after = tell(before, evaluations);
      const ref = await store(after, 'search-state');
      await stores.snapshots.put(project, search, after.generation, ref);
      const best = after.archive.elites.at(-1)?.evaluation;
      const text =
        best === undefined
          ? `generation ${before.generation}: no valid candidate yet`
          : `generation ${before.generation}: best ${percent(best.quality)} at cost ${best.cost.toFixed(2)}, front of ${after.archive.elites.length}`;
      return { state: ref, text };
    },

    async finishSearch({ project, search, state }) {
      const { champion, directory, document, type } = await experimentOf(project, search);
      const final = await load<SearchState>(state);
      const chosen = finalists(final, FINALISTS).filter((finalist) => finalist.id !== final.incumbent?.id);
      const versions: AgentVersion[] = [];
      for (const { id, genome } of chosen) {
        const { module, manifest } = agentOf(genome, directory);
        const published = await fabric.publish(module, manifest);
        const artifact = await stores.artifacts.put(module, { kind: 'agent' });
        versions.push(
          await stores.agents.putVersion(
            project,
            {
              id: published.id,
              agent: type.name,
              module: artifact,
              manifest,
              genome: asJsonObject(genome),
              parents: [champion.id],
              experiment: search,
            },
            { type: 'agent.published', actor: `evolution/${search}`, subject: published.id, details: { genome: id } },
          ),
        );
      }
      const result = {
        id: search,
        champion: champion.id,
        finalists: versions.map((version) => version.id),
        archiveHash: archiveHash(final.archive),
        lineageHash: final.lineage,
        evaluations: final.evaluations,
      };
      await stores.experiments.updateStatus(project, search, 'completed', asJsonObject({ ...document, result }));
      return {
        ...result,
        text: `${final.generation} generations, ${final.evaluations} evaluations, ${versions.length} finalists`,
      };
    },
  };
}
