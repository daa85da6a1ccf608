import type { EvaluationDocument } from '../../activities/evaluation.ts';
import { LAYERS } from '../../contracts/names.ts';
import { WINDOW } from '../../core/kpi/stream.ts';
import { summariseWindow, type KpiWindow } from '../../core/kpi/windows.ts';
import type { DemoReport, Estimate } from '../../report/data.ts';
import type { ModelRecord } from '../../contracts/records.ts';
import type { Platform } from '../platform.ts';
import type { DemoExample } from './example.ts';
import { offeredModels } from './models.ts';
import { nextCommands } from './next-commands.ts';

const estimateOf = ({ estimate, low, high }: { estimate: number; low: number; high: number }): Estimate => ({
  value: estimate,
  low,
  high,
});

/** Speaking names of the champions, in the order in which they served. */
function namesOf(versions: readonly string[], baseline: string): Map<string, string> {
  return new Map(versions.map((version, i) => [version, i === 0 ? `${baseline} agent` : `champion ${i}`]));
}

/** What the demo ended with. */
export interface DemoOutcome {
  readonly judged: EvaluationDocument;
  readonly models: readonly ModelRecord[];
  /** Agents that only put tasks to a model. */
  readonly alone: readonly { readonly version: string; readonly name: string }[];
  readonly layerSeconds: Partial<Record<string, number>>;
}

/** All that the demo's table and report show, read from the stores. */
export async function demoReport(
  platform: Platform,
  example: DemoExample,
  { judged, models, alone, layerSeconds }: DemoOutcome,
): Promise<DemoReport> {
  const { stores, config, gatewayUrl, stack } = platform;
  const { project } = config;
  const taskType = example.taskType.name;
  const others = new Map(alone.map(({ version, name }) => [version, name]));
  const champions = namesOf(
    judged.versions.map(({ version }) => version).filter((version) => !others.has(version)),
    example.baseline.agent,
  );
  const names = new Map([...champions, ...others]);
  const nameOf = (version: string): string => names.get(version) ?? version.slice(0, 8);
  const history = await stores.deployments.history(project, taskType);
  const end = await stores.tasks.nextOrdinal(project, taskType);
  const windows = await stores.kpi.windows(project, taskType);
  const drifts = await stores.kpi.driftEvents(project, taskType);
  const served = history.map(({ champion, fromOrdinal }, i) => ({
    agent: nameOf(champion),
    from: fromOrdinal,
    to: history[i + 1]?.fromOrdinal ?? end,
  }));
  const ui = stack.temporal.uiUrl;
  return {
    taskType,
    title: example.title,
    judged: judged.expected.length,
    agents: judged.versions.map(({ version, report, fuel, modelCalls }) => ({
      name: nameOf(version),
      ...(others.has(version) ? { alone: true } : {}),
      accuracy: estimateOf(report.accuracy),
      balancedAccuracy: estimateOf(report.balancedAccuracy),
      f1: estimateOf(report.f1),
      fuelPer1000: fuel,
      modelCallsPer1000: modelCalls,
    })),
    models: await offeredModels(platform, models, champions),
    served: served.filter(({ from, to }) => to > from),
    rolling: [...Map.groupBy(windows, (window) => window.agentVersion)].map(([version, own]) => ({
      agent: nameOf(version),
      points: own
        .map((window) => ({
          ordinal: window.fromOrdinal + WINDOW / 2,
          ...pointOf(summariseWindow(window.values as unknown as KpiWindow).accuracy),
        }))
        .filter((point) => Number.isFinite(point.accuracy)),
    })),
    events: [
      ...history.slice(1).map(({ fromOrdinal, stage, champion, challenger }) => ({
        ordinal: fromOrdinal,
        kind: stage === 'full' ? ('deployment' as const) : ('rollout' as const),
        text: stage === 'full' ? `${nameOf(champion)} serves` : `${stage}: ${nameOf(challenger ?? champion)}`,
      })),
      ...drifts.map(({ ordinal, details }) => ({ ordinal, kind: 'drift' as const, text: String(details.text) })),
    ],
    confusion: judged.versions.map(({ version, report }) => ({
      agent: nameOf(version),
      labels: [...report.confusion.labels],
      counts: rowsOf(report.confusion.counts, report.confusion.labels.length),
    })),
    layers: LAYERS.map((layer) => ({ layer, seconds: layerSeconds[layer] ?? 0 })),
    urls: [
      ...(ui === undefined ? [] : [{ label: 'Temporal UI', url: ui }]),
      { label: 'API', url: `${gatewayUrl}/openapi.json` },
    ],
    commands: nextCommands(platform, example),
  };
}

const pointOf = ({ estimate, low, high }: { estimate: number; low: number; high: number }) => ({
  accuracy: estimate,
  low,
  high,
});

/** Counts row by row, without the column of answers that are no label. */
function rowsOf(counts: readonly number[], labels: number): number[][] {
  return Array.from({ length: labels }, (_, row) =>
    Array.from({ length: labels }, (_, column) => counts[row * (labels + 1) + column]!),
  );
}
