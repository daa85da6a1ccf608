import {
  beginSearch,
  evaluationsOf,
  experimentMaterial,
  runCandidates,
  validationExamples,
} from '../activities/candidates.ts';
import { executionCosts } from '../activities/costs.ts';
import { chosenFinalists } from '../activities/evolution.ts';
import type { ExperimentDocument } from '../activities/search-material.ts';
import type { RolloutDocument } from '../activities/rollout.ts';
import { agentOf } from '../activities/search-material.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import { archiveHash } from '../core/evolution/archive.ts';
import type { Candidate } from '../core/evolution/breeding.ts';
import type { Evaluation } from '../core/evolution/fitness.ts';
import { ask, lineageRows, stopReason, tell } from '../core/evolution/search.ts';
import { decisionOf, rolloutSettings, weighPairs } from '../core/rollout/decision.ts';
import { createRollout } from '../core/rollout/rollout.ts';
import type { ExperimentRecord, RolloutRecord } from '../stores/index.ts';
import { Comparison, type Check, type VerifyDeps } from './check.ts';
import { compareRows } from './stream.ts';

const short = (id: string): string => id.slice(0, 12);

/**
 * Searches played again from their settings: ask, evaluate, tell, to the same archive, lineage and finalists.
 * @param fast take each candidate's stored evaluation instead of running it
 */
export async function checkExperiments(
  deps: VerifyDeps,
  experiments: readonly ExperimentRecord[],
  fast: boolean,
): Promise<Check> {
  const compared = new Comparison('experiments');
  const ended = experiments.filter(({ status }) => status === 'completed');
  let runs = 0;
  for (const { id, taskType, document } of ended) {
    const name = `experiment ${short(id)}`;
    await compared.derive(name, async () => {
      const { result, ...asked } = document as unknown as ExperimentDocument;
      compared.same(name, id, hashOf({ ...asked, taskType }).slice(0, 32));
      runs += await replay(deps, compared, name, { id, taskType, asked, result }, fast);
    });
  }
  const open = experiments.length - ended.length;
  const notes = [
    fast ? 'from the stored evaluations' : `${runs} candidates run again`,
    ...(open === 0 ? [] : [`${open} not ended`]),
  ];
  return compared.done(ended.length === 0 && open === 0 ? undefined : notes.join(', '));
}

interface Replayed extends Pick<ExperimentRecord, 'id' | 'taskType'> {
  readonly asked: Omit<ExperimentDocument, 'result'>;
  readonly result: ExperimentDocument['result'];
}

/** Returns how many candidates were run. */
async function replay(
  deps: VerifyDeps,
  compared: Comparison,
  name: string,
  { id, taskType, asked, result }: Replayed,
  fast: boolean,
): Promise<number> {
  const { stores, project } = deps;
  const material = await experimentMaterial(stores, project, taskType, asked);
  const examples = await validationExamples(stores, project, asked.datasetId);
  const stored = await stores.candidates.list(project, id);
  const known = new Map(stored.map((row) => [row.id, row.document.evaluation as unknown as Evaluation]));
  const evaluate = async (candidates: readonly Candidate[]): Promise<Evaluation[]> => {
    if (fast) return candidates.flatMap((candidate) => known.get(candidate.id) ?? []);
    const columns = await runCandidates(deps, project, material, candidates, examples, { signal: deps.signal });
    return evaluationsOf(material.type, candidates, columns, examples);
  };
  let state = await beginSearch(deps, project, material, asked);
  const derived: object[] = [];
  while (stopReason(state) === undefined) {
    deps.signal.throwIfAborted();
    const candidates = ask(state);
    const evaluations = await evaluate(candidates);
    const genomes = new Map(candidates.map((candidate) => [candidate.id, candidate.genome]));
    for (const { evaluation, status, operator, ...row } of lineageRows(state, evaluations))
      derived.push({
        ...row,
        operator,
        genomeHash: row.id,
        ...{ quality: evaluation.quality, cost: evaluation.cost },
        document: { genome: genomes.get(row.id), evaluation, status },
      });
    state = tell(state, evaluations);
  }
  const rows = new Comparison('');
  compareRows(rows, stored, derived, (row) => `candidate ${short(row.id)} of generation ${row.generation}`);
  for (const difference of rows.done().differences)
    compared.also(`${name}: ${difference.subject}`, difference.stored, difference.derived);
  const finalists = chosenFinalists(state).map(({ genome }) => {
    const { sha256, manifest } = agentOf(genome, material.directory);
    return hashOf({ module: sha256, manifest });
  });
  compared.also(`${name}: result`, result, {
    ...{ id, champion: asked.champion, finalists },
    archiveHash: archiveHash(state.archive),
    lineageHash: state.lineage,
    evaluations: state.evaluations,
  });
  return fast ? 0 : derived.length;
}

/** Decisions of rollouts from the scored pairs, and every change of champion from a decision. */
export async function checkRollouts(
  deps: VerifyDeps,
  taskType: string,
  rollouts: readonly RolloutRecord[],
): Promise<Check> {
  const { stores, project } = deps;
  const compared = new Comparison(`rollouts of ${taskType}`);
  const decided = rollouts.filter(({ state }) => state === 'promoted' || state === 'rolled-back');
  for (const rollout of decided) {
    const { id, champion, challenger } = rollout;
    const document = rollout.document as unknown as RolloutDocument;
    const { settings, fromOrdinal, consumedTo } = document;
    const name = `rollout ${short(id)}`;
    await compared.derive(name, async () => {
      deps.signal.throwIfAborted();
      const pairs = await stores.scores.pairs(project, taskType, fromOrdinal, consumedTo, champion, challenger);
      const costs = await executionCosts(stores, project, taskType, fromOrdinal, consumedTo);
      const process = weighPairs(createRollout(rolloutSettings(settings)), pairs, rollout, costs);
      const { hash } = decisionOf(rollout, settings, fromOrdinal, process);
      compared.same(
        name,
        { state: rollout.state, decisionHash: document.decisionHash, process: document.process },
        { state: process.decision.kind === 'promote' ? 'promoted' : 'rolled-back', decisionHash: hash, process },
      );
    });
  }
  const history = await stores.deployments.history(project, taskType);
  const scope = new Set(rollouts.map(({ challenger }) => challenger));
  const changes = history.flatMap(({ champion, fromOrdinal }, i) =>
    i > 0 && champion !== history[i - 1]!.champion && scope.has(champion) ? [{ champion, fromOrdinal }] : [],
  );
  const promotions = decided
    .filter(({ state }) => state === 'promoted')
    .map(({ challenger, document }) => {
      const last = (document as unknown as RolloutDocument).history.at(-1);
      return { champion: challenger, fromOrdinal: last?.fromOrdinal ?? -1 };
    });
  compareRows(compared, changes, promotions, (change) => `champion ${short(change.champion)}`);
  const open = rollouts.length - decided.length;
  return compared.done(open === 0 ? undefined : `${open} without a decision`);
}
