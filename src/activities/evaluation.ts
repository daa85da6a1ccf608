import { ChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { EvaluationInput } from '../contracts/inputs.ts';
import type { JsonObject, JsonValue } from '../contracts/records.ts';
import { canonicalBytes, hashOf } from '../core/canonical/canonical.ts';
import {
  classificationReport,
  comparePaired,
  type ClassificationReport,
  type LabelPair,
} from '../core/kpi/confusion.ts';
import type { Datasheet } from '../core/curation/dataset.ts';
import { valueAt } from '../core/kpi/pointer.ts';
import type { TaskType } from '../core/validation/task-type.ts';
import type { Stores } from '../stores/index.ts';
import { callPrice, costOf } from './costs.ts';
import { readDataset, typeOfDataset } from './datasets.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';
import { agentRef, fabricType } from './runs.ts';
import { requireLabels, runItem, type LabelType } from './search-material.ts';

export interface EvaluationSummary {
  id: string;
  text: string[];
}

/** One version judged on one split. */
export interface VersionEvaluation {
  version: string;
  report: ClassificationReport;
  /** Per 1,000 tasks. */
  fuel: number;
  modelCalls: number;
  /** Mean per task, in units of the cheapest model's call. */
  cost: number;
  failed: number;
  /** The label given to each example, in their order; null where the run failed. */
  predicted: (string | null)[];
}

export interface EvaluationDocument {
  id: string;
  datasetId: string;
  split: EvaluationInput['split'];
  seed: string;
  taskType: string;
  ordinals: number[];
  expected: string[];
  versions: VersionEvaluation[];
}

export interface GateCheck {
  name: string;
  passed: boolean;
  detail: string;
}

export interface GateResult {
  /** The version that may go on to a rollout. */
  challenger?: string;
  checks: GateCheck[];
  text: string;
}

export interface EvaluationActivities {
  /** Judges versions on a split, once: the same question again reads the answer. */
  evaluateAgents(input: EvaluationInput): Promise<EvaluationSummary>;
  /** Which finalist, if any, is fit for live traffic. */
  gateFinalists(input: {
    project: string;
    taskType: string;
    champion: string;
    finalists: string[];
    evaluation: string;
  }): Promise<GateResult>;
}

/** A finalist that is as good within this much may pass for being cheaper. */
const MARGIN = 0.01;
const CHEAPER = 0.9;
/** A finalist may break at most this share of what the champion answers rightly. */
const REGRESSION = 0.05;
/** The row under which judgements are kept. */
const JUDGEMENTS = 'judgement';
/** The audit event that a judgement is. */
const JUDGED = 'evaluation.judged';

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

export async function readEvaluation(stores: Stores, project: string, id: string): Promise<EvaluationDocument> {
  const row = (await stores.evaluations.getMany(project, JUDGEMENTS, [id])).get(id) as { sha256: string } | undefined;
  if (row === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'evaluation', name: id });
  return JSON.parse(new TextDecoder().decode(await stores.artifacts.get(row))) as EvaluationDocument;
}

const MANY = 100_000;

/** The ids of all judgements, in the order in which they were made. */
export async function judgementIds(stores: Stores, project: string): Promise<string[]> {
  await stores.audit.seal(project);
  const events = await stores.audit.list(project, { type: JUDGED, limit: MANY });
  return [...new Set(events.map(({ subject }) => subject))];
}

const answers = (evaluation: EvaluationDocument, of: VersionEvaluation): LabelPair[] =>
  evaluation.expected.map((expected, i) => ({ expected, predicted: of.predicted[i] ?? undefined }));

/** What is judged: everything that the judgement hangs on. */
export type Judgement = Pick<EvaluationDocument, 'id' | 'taskType' | 'datasetId' | 'seed'> & {
  split: EvaluationInput['split'];
  versions: readonly string[];
};

/** Runs versions on a split of a dataset and sums up how they did. The same question has the same answer. */
export async function judgeVersions(
  deps: Pick<ActivityDeps, 'stores' | 'fabric'>,
  project: string,
  type: LabelType,
  { versions, split, ...question }: Judgement,
  options: { signal: AbortSignal; onProgress?: (done: number, total: number) => void },
): Promise<EvaluationDocument> {
  const { stores, fabric } = deps;
  const { labels, pointer, positive } = type.scorer;
  const { datasetId, seed } = question;
  const all = await readDataset(stores, project, datasetId);
  const examples = split === 'all' ? all : all.filter((example) => example.split === split);
  const { output, limits } = fabricType(type);
  const columns = await fabric.evaluate(
    {
      agents: await Promise.all(versions.map((version) => agentRef(deps, project, version))),
      taskType: limits === undefined ? { output } : { output, limits },
      items: examples.map(runItem),
    },
    options,
  );
  const expected = examples.map((example) => String(valueAt(example.expected, pointer)));
  const judged: VersionEvaluation[] = [];
  for (const [i, version] of versions.entries()) {
    const own = columns[i]!;
    const price = await callPrice(stores, project, await stores.agents.require(project, version));
    const predicted = own.output.map((value) => (value === null ? null : String(valueAt(value, pointer))));
    const pairs = expected.map((label, k) => ({ expected: label, predicted: predicted[k] ?? undefined }));
    const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
    const cost = Array.from(own.fuel, (fuel, k) => costOf(price, own.modelCalls[k]!, fuel));
    judged.push({
      version,
      report: classificationReport(pairs, { labels, positive, seed }),
      fuel: (1000 * sum(own.fuel)) / expected.length,
      modelCalls: (1000 * sum(own.modelCalls)) / expected.length,
      cost: sum(cost) / expected.length,
      failed: own.failure.filter((failure) => failure !== null).length,
      predicted,
    });
  }
  const ordinals = examples.map((example) => example.ordinal);
  return { ...question, split, ordinals, expected, versions: judged };
}

export function createEvaluationActivities(deps: ActivityDeps): EvaluationActivities {
  const { stores } = deps;

  /** The ordinal from which a dataset counts its examples as recent. */
  async function recentOf(project: string, datasetId: string): Promise<number> {
    const dataset = await stores.datasets.get(project, datasetId);
    const { settings } = (dataset?.datasheet ?? {}) as unknown as Partial<Datasheet>;
    return settings?.split.recent?.fromOrdinal ?? 0;
  }

  return {
    async evaluateAgents({ project, taskType, seed, datasetId, split, agentVersions }) {
      return heartbeating(async (signal, note) => {
        const type = requireLabels(await typeOfDataset(stores, project, datasetId, taskType));
        const versions = [...new Set(agentVersions)];
        const id = hashOf({ datasetId, split, versions, seed }).slice(0, 32);
        const known = await stores.evaluations.getMany(project, JUDGEMENTS, [id]);
        if (!known.has(id)) {
          const document = await judgeVersions(
            deps,
            project,
            type,
            { id, taskType, datasetId, split, versions, seed },
            {
              signal,
              onProgress: (done, total) => note({ done, total }),
            },
          );
          const artifact = await stores.artifacts.put(canonicalBytes(document), { kind: 'evaluation' });
          const row = { subject: id, document: artifact as unknown as JsonObject };
          await stores.evaluations.putMany(project, JUDGEMENTS, [row]);
          failpoint('evaluation.judged');
        }
        // Also where an earlier attempt judged: it may have died before it said so.
        await stores.audit.append(
          project,
          { type: JUDGED, actor: 'evaluation', subject: id, details: { datasetId, split, versions } },
          { id: `evaluation/${id}` },
        );
        const document = await readEvaluation(stores, project, id);
        const text = document.versions.map(({ version, report, cost }) => {
          const { estimate, low, high } = report.balancedAccuracy;
          return `${version.slice(0, 8)}: balanced accuracy ${percent(estimate)} (${percent(low)} to ${percent(high)}) at cost ${cost.toFixed(2)}`;
        });
        return { id, text };
      });
    },

    async gateFinalists({ project, taskType, champion, finalists, evaluation }) {
      const type = requireLabels(await stores.taskTypes.require<TaskType>(project, taskType));
      const document = await readEvaluation(stores, project, evaluation);
      const of = (version: string): VersionEvaluation | undefined =>
        document.versions.find((entry) => entry.version === version);
      const before = of(champion);
      if (before === undefined)
        throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'judgement of version', name: champion });
      const { labels, positive } = type.scorer;
      const recentFrom = await recentOf(project, document.datasetId);
      const isRecent = document.ordinals.map((ordinal) => ordinal >= recentFrom);
      const recent = <T>(values: readonly T[]): T[] => values.filter((_, i) => isRecent[i]);
      const judged = finalists.flatMap((version) => {
        const own = of(version);
        if (own === undefined) return [];
        // Better at what comes in now: a champion from before a drift is still good at what came in then.
        const gain = comparePaired(recent(answers(document, own)), recent(answers(document, before)), {
          labels,
          positive,
          seed: evaluation,
        }).balancedAccuracy;
        const right = document.expected.filter((label, i) => before.predicted[i] === label).length;
        const broken = document.expected.filter(
          (label, i) => before.predicted[i] === label && own.predicted[i] !== label,
        ).length;
        const name = version.slice(0, 8);
        const better = gain.low > 0;
        const asGood = gain.low >= -MARGIN && own.cost <= CHEAPER * before.cost;
        const checks: GateCheck[] = [
          {
            name: `${name} better, or as good and cheaper`,
            passed: better || asGood,
            detail: `gain ${percent(gain.estimate)} (${percent(gain.low)} to ${percent(gain.high)}), cost ${own.cost.toFixed(2)} against ${before.cost.toFixed(2)}`,
          },
          {
            name: `${name} regression suite`,
            passed: broken <= REGRESSION * right,
            detail: `breaks ${broken} of ${right} that the champion answers rightly`,
          },
          {
            name: `${name} never fails`,
            passed: own.failed === 0,
            detail: `${own.failed} failed executions`,
          },
        ];
        return [{ version, gain, checks, passed: checks.every((check) => check.passed) }];
      });
      const fit = judged.filter((entry) => entry.passed).sort((a, b) => b.gain.estimate - a.gain.estimate);
      const checks = judged.flatMap((entry) => entry.checks);
      const challenger = fit[0]?.version;
      const text =
        challenger === undefined
          ? 'no finalist passes the gate'
          : `${challenger.slice(0, 8)} passes the gate: ${fit[0]!.checks[0]!.detail}`;
      await stores.audit.append(
        project,
        {
          type: 'gate.decided',
          actor: 'evolution',
          subject: challenger ?? champion,
          details: { evaluation, passed: challenger !== undefined, text, checks: checks as unknown as JsonValue },
        },
        { id: `gate/${evaluation}` },
      );
      failpoint('gate.decided');
      return { ...(challenger === undefined ? {} : { challenger }), checks, text };
    },
  };
}
