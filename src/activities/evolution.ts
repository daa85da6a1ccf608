import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { EvolutionInput } from '../contracts/inputs.ts';
import type { AgentVersion, ArtifactRef } from '../contracts/records.ts';
import { canonicalBytes, hashOf } from '../core/canonical/canonical.ts';
import { archiveHash } from '../core/evolution/archive.ts';
import type { Candidate } from '../core/evolution/breeding.ts';
import { finalists, type Finalist } from '../core/evolution/finalists.ts';
import { ask, lineageRows, stopReason, tell, type SearchState } from '../core/evolution/search.ts';
import {
  beginSearch,
  evaluationsOf,
  experimentMaterial,
  joinShards,
  runCandidates,
  shardOf,
  validationExamples,
  type Columns,
  type ExperimentMaterial,
} from './candidates.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';
import { storeVersion } from './publishing.ts';
import { agentOf, asJsonObject, type ExperimentDocument, type SearchResult } from './search-material.ts';

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
  /** Marks a search that will not be finished. Its candidates and snapshots stay. */
  closeSearch(input: { project: string; search: string; status: 'failed' | 'cancelled' }): Promise<void>;
}

/** One candidate's results on the tasks of a shard. */
interface ShardColumns extends Columns {
  candidate: string;
}

const FINALISTS = 3;
const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;

/** The finalists of a search that ended, best first; the incumbent serves already. */
export const chosenFinalists = (final: SearchState): Finalist[] =>
  finalists(final, FINALISTS).filter((finalist) => finalist.id !== final.incumbent?.id);

export function createEvolutionActivities(deps: ActivityDeps): EvolutionActivities {
  const { stores, fabric } = deps;

  const store = async (value: unknown, kind: string): Promise<ArtifactRef> =>
    stores.artifacts.put(canonicalBytes(value), { kind });
  const load = async <T>(ref: ArtifactRef): Promise<T> =>
    JSON.parse(new TextDecoder().decode(await stores.artifacts.get(ref))) as T;

  async function experimentOf(
    project: string,
    id: string,
  ): Promise<{ document: ExperimentDocument; material: ExperimentMaterial }> {
    const experiment = await stores.experiments.get(project, id);
    if (experiment === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'experiment', name: id });
    const document = experiment.document as unknown as ExperimentDocument;
    return { document, material: await experimentMaterial(stores, project, experiment.taskType, document) };
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
      const deployment = await stores.deployments.current(project, taskType);
      if (deployment === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'deployment', name: taskType });
      const settings = { seed, population, generations, evaluations, fuel, plateau };
      const document: ExperimentDocument = { datasetId, modelIds, champion: deployment.champion, settings };
      const material = await experimentMaterial(stores, project, taskType, document);
      const state = await beginSearch(deps, project, material, document);
      const id = hashOf({ ...document, taskType }).slice(0, 32);
      await stores.experiments.put(project, { id, taskType, document: asJsonObject(document) });
      failpoint('search.started');
      const { length } = await validationExamples(stores, project, datasetId);
      return {
        id,
        state: await store(state, 'search-state'),
        text: `search ${id.slice(0, 8)}: ${modelIds.length} models, ${state.context.features.length} features, ${length} validation tasks`,
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
        const { document, material } = await experimentOf(project, search);
        const candidates = await load<Candidate[]>(asked);
        const examples = shardOf(await validationExamples(stores, project, document.datasetId), shard, of);
        const dataHash = hashOf({ dataset: document.datasetId, split: 'validation', shard, of });
        const known = await stores.evaluations.getMany(
          project,
          dataHash,
          candidates.map((candidate) => candidate.id),
        );
        const fresh = candidates.filter((candidate) => !known.has(candidate.id));
        if (fresh.length > 0) {
          const columns = await runCandidates(deps, project, material, fresh, examples, {
            signal,
            onProgress: (done, total) => note({ done, total }),
          });
          const rows = fresh.map(({ id }, i) => ({ subject: id, document: asJsonObject(columns[i]) }));
          await stores.evaluations.putMany(project, dataHash, rows);
          failpoint('shard.evaluated');
          for (const { subject, document: own } of rows) known.set(subject, own);
        }
        const columns = candidates.map(({ id }) => ({ ...(known.get(id) as unknown as ShardColumns), candidate: id }));
        return store(columns, 'shard-results');
      });
    },

    async tellGeneration({ project, search, state, asked, results }) {
      const { document, material } = await experimentOf(project, search);
      const before = await load<SearchState>(state);
      const candidates = await load<Candidate[]>(asked);
      const shards = await Promise.all(results.map((ref) => load<ShardColumns[]>(ref)));
      const examples = await validationExamples(stores, project, document.datasetId);
      const columns = candidates.map((_, i) => ({
        predicted: joinShards(shards.map((shard) => shard[i]!.predicted)),
        fuel: joinShards(shards.map((shard) => shard[i]!.fuel)),
        modelPrice: joinShards(shards.map((shard) => shard[i]!.modelPrice)),
      }));
      const evaluations = evaluationsOf(material.type, candidates, columns, examples);
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
      failpoint('search.told');
      const best = after.archive.elites.at(-1)?.evaluation;
      const text =
        best === undefined
          ? `generation ${before.generation}: no valid candidate yet`
          : `generation ${before.generation}: best ${percent(best.quality)} at cost ${best.cost.toFixed(2)}, front of ${after.archive.elites.length}`;
      return { state: ref, text };
    },

    async closeSearch({ project, search, status }) {
      const experiment = await stores.experiments.get(project, search);
      if (experiment?.status === 'running') await stores.experiments.updateStatus(project, search, status);
    },

    async finishSearch({ project, search, state }) {
      const { document, material } = await experimentOf(project, search);
      const { champion, directory, type } = material;
      const final = await load<SearchState>(state);
      const versions: AgentVersion[] = [];
      for (const { genome } of chosenFinalists(final)) {
        const { module, manifest } = agentOf(genome, directory);
        const published = await fabric.publish(module, manifest);
        versions.push(
          await storeVersion(stores, project, module, published, {
            agent: type.name,
            by: `evolution/${search}`,
            genome: asJsonObject(genome),
            parents: [champion.id],
            experiment: search,
          }),
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
      failpoint('search.finished');
      return {
        ...result,
        text: `${final.generation} generations, ${final.evaluations} evaluations, ${versions.length} finalists`,
      };
    },
  };
}
