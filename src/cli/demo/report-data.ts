import type { EvaluationDocument } from '../../activities/evaluation.ts';
import { LAYERS, workflowId, WORKFLOWS } from '../../contracts/names.ts';
import { WINDOW } from '../../core/kpi/stream.ts';
import { summariseWindow, type KpiWindow } from '../../core/kpi/windows.ts';
import type { DemoReport, Estimate } from '../../report/data.ts';
import type { ModelRecord } from '../../contracts/records.ts';
import type { Platform } from '../platform.ts';
import type { DemoExample } from './example.ts';
import { offeredModels } from './models.ts';

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
    commands: commandsFor(platform, example),
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

function commandsFor({ gatewayUrl, apiKey, config, stack }: Platform, example: DemoExample): DemoReport['commands'] {
  const taskType = example.taskType.name;
  const body = JSON.stringify({ taskType, payload: example.sample });
  const commands = [
    {
      title: 'Send a task of your own and see answer, version, fuel and reason',
      command: `curl -s '${gatewayUrl}/v1/tasks?wait=10000' -H 'Authorization: Bearer ${apiKey}' -H 'Content-Type: application/json' -d '${body.replaceAll("'", "'\\''")}'`,
    },
  ];
  const { uiUrl, namespace } = stack.temporal;
  if (uiUrl !== undefined) {
    const query = new URLSearchParams({
      workflowId: workflowId.evolutionCycle(config.project, taskType),
      taskQueue: 'chimera-workflows',
      workflowType: WORKFLOWS.evolutionCycle,
    });
    commands.push({
      // The form takes the input from the last run of this workflow.
      title: 'Start a cycle from the Temporal UI: the form is filled in ("force": true acts without new data)',
      command: `${uiUrl}/namespaces/${namespace}/workflows/start-workflow?${query.toString()}`,
    });
  }
  commands.push({
    title: 'Read the champion as a program, its diff to its parent, and what it fixed and broke',
    command: './chimera explain champion',
  });
  return commands;
}
