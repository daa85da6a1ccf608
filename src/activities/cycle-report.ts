import type { AgentVersion } from '../contracts/records.ts';
import { diffGenomes, explainGenome } from '../core/evolution/explain.ts';
import { parseGenome } from '../core/evolution/genome.ts';
import { explainRollout } from '../core/rollout/rollout.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { CycleReport, Estimate } from '../report/data.ts';
import type { Stores } from '../stores/index.ts';
import { readEvaluation, type GateResult } from './evaluation.ts';
import type { RolloutDocument } from './rollout.ts';
import type { ExperimentDocument } from './search-material.ts';

/** A cycle as its report tells it. */
export interface CycleReportInput {
  project: string;
  taskType: string;
  cycle: string;
  reason: string;
  dataset?: string;
  search?: string;
  evaluation?: string;
  gate?: GateResult;
  rollout?: string;
  /** Wall time of each step; shown, never hashed. */
  seconds: Record<string, number>;
}

const short = (id: string): string => id.slice(0, 8);

const estimateOf = ({ estimate, low, high }: { estimate: number; low: number; high: number }): Estimate => ({
  value: estimate,
  low,
  high,
});

/** Everything a cycle's report shows, read from the stores. */
export async function collectCycleReport(stores: Stores, input: CycleReportInput): Promise<CycleReport> {
  const { project, taskType, cycle } = input;
  const type = await stores.taskTypes.require<TaskType>(project, taskType);
  const report: CycleReport = {
    cycleId: cycle,
    project,
    taskType,
    decision: { act: true, reason: input.reason },
    models: [],
    finalists: [],
    lineage: [],
    steps: Object.entries(input.seconds).map(([step, seconds]) => ({ step, seconds })),
  };
  if (input.dataset !== undefined) await addDataset(stores, project, input.dataset, taskType, report);
  if (input.search !== undefined) await addSearch(stores, project, input.search, report);
  if (input.evaluation !== undefined) {
    const { versions } = await readEvaluation(stores, project, input.evaluation);
    report.finalists = versions.map(({ version, report: own, cost }) => ({
      id: short(version),
      quality: estimateOf(own.balancedAccuracy),
      cost: 1000 * cost,
      chosen: version === input.gate?.challenger,
    }));
  }
  if (input.gate !== undefined) {
    report.gate = { passed: input.gate.challenger !== undefined, checks: input.gate.checks };
  }
  if (input.rollout !== undefined) await addRollout(stores, project, input.rollout, report);
  const deployment = await stores.deployments.current(project, taskType);
  if (deployment !== undefined) {
    const champion = await stores.agents.require(project, deployment.champion);
    await addProgram(stores, project, champion, type, report);
  }
  return report;
}

async function addDataset(
  stores: Stores,
  project: string,
  id: string,
  taskType: string,
  report: CycleReport,
): Promise<void> {
  const dataset = await stores.datasets.get(project, id);
  if (dataset === undefined) return;
  const { version, counts, datasheet } = dataset;
  report.dataset = { id, version, counts, datasheet };
  report.models = (await stores.models.list(project, { taskType, dataset: id })).map((model) => ({
    name: model.name,
    price: model.price,
    metrics: (model.report.validation ?? {}) as Record<string, number>,
  }));
}

async function addSearch(stores: Stores, project: string, id: string, report: CycleReport): Promise<void> {
  const experiment = await stores.experiments.get(project, id);
  if (experiment === undefined) return;
  const { result } = experiment.document as unknown as ExperimentDocument;
  const candidates = await stores.candidates.list(project, id);
  const generations = [...Map.groupBy(candidates, (candidate) => candidate.generation)].map(([generation, rows]) => {
    const qualities = rows.map((row) => row.quality).sort((a, b) => a - b);
    return {
      generation,
      bestQuality: qualities.at(-1) ?? 0,
      medianQuality: qualities[Math.floor(qualities.length / 2)] ?? 0,
      frontSize: rows.filter((row) => row.document.status === 'NEW' || row.document.status === 'IMPROVE').length,
      evaluations: rows.reduce(
        (sum, row) => sum + Number((row.document.evaluation as { tasks?: number }).tasks ?? 0),
        0,
      ),
    };
  });
  const front = candidates.filter(
    (a) =>
      !candidates.some((b) => b.quality >= a.quality && b.cost <= a.cost && (b.quality > a.quality || b.cost < a.cost)),
  );
  report.search = {
    stoppedBy: `${generations.length} generations`,
    evaluations: result?.evaluations ?? 0,
    generations,
    front: front.map(({ id: candidate, quality, cost }) => ({
      id: short(candidate),
      quality,
      cost: 1000 * cost,
      chosen: false,
    })),
  };
}

async function addRollout(stores: Stores, project: string, id: string, report: CycleReport): Promise<void> {
  const rollout = await stores.rollouts.get(project, id);
  if (rollout === undefined) return;
  const document = rollout.document as unknown as RolloutDocument;
  const explained = explainRollout(document.process);
  report.rollout = {
    alpha: document.settings.alpha,
    stages: document.history.map(({ stage, fromOrdinal }) => ({ stage, fromOrdinal, text: stage })),
    evidence: document.evidence,
    wins: explained.wins,
    losses: explained.losses,
    decision: rollout.state === 'promoted' ? 'promoted' : rollout.state === 'rolled-back' ? 'rolled back' : 'undecided',
    text: explained.text,
  };
}

async function addProgram(
  stores: Stores,
  project: string,
  champion: AgentVersion,
  type: TaskType,
  report: CycleReport,
): Promise<void> {
  const lineage: AgentVersion[] = [];
  for (let version: AgentVersion | undefined = champion; version !== undefined;) {
    lineage.push(version);
    const parent: string | undefined = version.parents[0];
    version = parent === undefined ? undefined : await stores.agents.get(project, parent);
  }
  report.lineage = lineage.map(({ id, agent, parents }) => ({
    id: short(id),
    label: agent,
    parents: parents.map(short),
  }));
  if (champion.genome === undefined) return;
  const names = type.features.map((feature) => feature.name);
  const genome = parseGenome(champion.genome);
  const parent = lineage[1]?.genome;
  report.champion = {
    id: short(champion.id),
    program: explainGenome(genome, names),
    ...(parent === undefined ? {} : { diff: diffGenomes(parseGenome(parent), genome, names).join('\n') }),
  };
}
