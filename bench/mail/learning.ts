import { readDataset } from '../../src/activities/datasets.ts';
import type { EvaluationDocument, VersionEvaluation } from '../../src/activities/evaluation.ts';
import { loadExample, type DemoExample, type ExampleItem } from '../../src/cli/demo/example.ts';
import { judge, storeJudge } from '../../src/cli/demo/judge.ts';
import { playExample } from '../../src/cli/demo/play.ts';
import type { Platform } from '../../src/cli/platform.ts';
import type { DatasetExample } from '../../src/contracts/records.ts';
import { comparePaired, type LabelPair, type QualityIntervals } from '../../src/core/kpi/confusion.ts';
import { valueAt } from '../../src/core/kpi/pointer.ts';
import type { Interval } from '../../src/core/stats/intervals.ts';
import { criterion, type BenchmarkResult } from '../harness/types.ts';
import { seconds } from '../platform/temporary.ts';
import { trainPeer } from './peer.ts';

const BALANCED = 0.97;
const NOT_WORSE = -0.015;
const AHEAD_OF_KEYWORDS = 0.15;

/**
 * Plays the whole stream plan, then opens the judge third once for the keyword agent, both champions and the peer, and the whole
 * second wave for the keyword agent and champion 1, which learned from the first wave only.
 */
export async function measureLearning(
  platform: Platform,
  order: string,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const { stores, config, temporal } = platform;
  const { project } = config;
  const example = await loadExample('mail-triage');
  const taskType = example.taskType.name;
  const items = await example.load({ seed: order });
  const begun = performance.now();
  const drifts: string[] = [];
  await playExample(platform, example, items, {
    seed: order,
    name: `mail-triage/${order}`,
    signal,
    onEvent: (event) => {
      if (event.kind === 'drift') drifts.push(event.text);
      if (event.kind === 'cycle' && event.view.state !== 'running') log(`  cycle ${event.number}: ${event.text}`);
    },
  });
  const played = seconds(begun);
  const history = await stores.deployments.history(project, taskType);
  const champions = [...new Set(history.map(({ champion }) => champion))];
  const [keywords, first, second] = champions;
  const open = async (part: string, versions: readonly string[], own: readonly ExampleItem[], purpose?: string) => {
    const dataset = await storeJudge(stores, project, example, own, purpose);
    log(`  judging ${versions.length} agents on ${part}`);
    return { dataset, ...(await judge(stores, temporal, project, taskType, dataset, versions)) };
  };
  const judged = await open(
    'the judge third',
    champions,
    items.filter(({ part }) => part === 'judge'),
  );
  const learned = await stores.datasets.latest(project, taskType);
  const material = learned === undefined ? [] : await readDataset(stores, project, learned.id);
  const unseen = await readDataset(stores, project, judged.dataset);
  const peer = await trainPeer(example, material, unseen);
  const versus = (left: readonly LabelPair[], right: readonly LabelPair[]): QualityIntervals =>
    comparePaired(left, right, { ...labelsOf(example), seed: order });
  const overPeer = second === undefined ? undefined : versus(answersOf(judged, second), peer.answers);

  const waveTwo = await open(
    'the whole second wave',
    champions.slice(0, 2),
    items.filter(({ part }) => part !== 'stream-1' && part !== 'rollout-1'),
    'the second wave, which champion 1 did not learn from',
  );
  const overKeywords =
    first === undefined ? undefined : versus(answersOf(waveTwo, first), answersOf(waveTwo, keywords!));
  const onJudge = (version: string | undefined): number =>
    judged.versions.find((entry) => entry.version === version)?.report.balancedAccuracy.estimate ?? NaN;
  return {
    figures: {
      [`order ${order}`]: {
        'whole plan, seconds': played,
        'mails in the stream': items.length,
        drift: drifts[0] ?? 'none reported',
        'what cycle 2 learned from': `${material.length} mails`,
        'judge third, mails': unseen.length,
        'judge third': tableOf(judged, ['keywords', 'champion 1', 'champion 2']),
        'judge third, scikit-learn': { balancedAccuracy: round(peer.balancedAccuracy), seconds: peer.seconds },
        'champion 2 − scikit-learn, balanced accuracy': shown(overPeer?.balancedAccuracy),
        'second wave': tableOf(waveTwo, ['keywords', 'champion 1']),
        'champion 1 − keywords, second wave': shown(overKeywords?.balancedAccuracy),
      },
    },
    criteria: [
      criterion(`champion 2, balanced accuracy on the judge third (order ${order})`, onJudge(second), '>=', BALANCED),
      criterion(
        `champion 2 − scikit-learn on the judge third, lower 95 % bound (order ${order})`,
        overPeer?.balancedAccuracy.low ?? NaN,
        '>=',
        NOT_WORSE,
      ),
      criterion(
        `champion 1 − keyword agent, balanced accuracy on the whole second wave (order ${order})`,
        overKeywords?.balancedAccuracy.estimate ?? NaN,
        '>=',
        AHEAD_OF_KEYWORDS,
      ),
    ],
  };
}

const labelsOf = ({ taskType }: DemoExample): { labels: readonly string[] } => ({
  labels: taskType.scorer.kind === 'label' ? taskType.scorer.labels : [],
});

function answersOf({ expected, versions }: EvaluationDocument, version: string): LabelPair[] {
  const own = versions.find((entry) => entry.version === version)!;
  return expected.map((label, i) => ({ expected: label, predicted: own.predicted[i] ?? undefined }));
}

/** The text that models read, and the right label. */
export function labelledText(
  { taskType }: DemoExample,
  { payload, expected }: DatasetExample,
): { text: string; label: string } {
  const pointer = taskType.scorer.kind === 'label' ? taskType.scorer.pointer : '';
  return { text: String(valueAt(payload, taskType.text!) ?? ''), label: String(valueAt(expected, pointer)) };
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4;

const shown = (interval: Interval | undefined) =>
  interval === undefined
    ? null
    : { estimate: round(interval.estimate), low: round(interval.low), high: round(interval.high) };

function tableOf({ versions }: EvaluationDocument, names: readonly string[]) {
  const row = ({ version, report, fuel, modelCalls }: VersionEvaluation) => ({
    version: version.slice(0, 8),
    accuracy: shown(report.accuracy),
    balancedAccuracy: shown(report.balancedAccuracy),
    f1: shown(report.f1),
    'fuel per 1,000': Math.round(fuel),
    'model calls per 1,000': Math.round(modelCalls),
  });
  return Object.fromEntries(versions.map((entry, i) => [names[i] ?? `champion ${i}`, row(entry)]));
}
