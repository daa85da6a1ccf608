import { stringify } from 'yaml';
import { LAYERS } from '../../src/contracts/names.ts';
import type { Layer } from '../../src/contracts/names.ts';
import { DROPPED_SPANS, LAYER_METRICS } from '../../src/telemetry/metrics.ts';

/** Prometheus alert rules from the metric names of the code. `refused` operations are the callers' mistakes and wake nobody. */

interface Rule {
  alert: string;
  expr: string;
  for: string;
  labels: { severity: 'critical' | 'warning'; layer?: Layer };
  annotations: { summary: string; action: string };
}

/** Training and search run long between two ends of an operation; the others answer within seconds. */
const STUCK_AFTER: Record<Layer, string> = {
  ingestion: '15m',
  distribution: '15m',
  validation: '15m',
  execution: '15m',
  kpi: '15m',
  curation: '30m',
  evolution: '2h',
  resources: '15m',
};

function layerRules(layer: Layer): Rule[] {
  const operations = LAYER_METRICS.operations(layer);
  const stuck = STUCK_AFTER[layer];
  return [
    {
      alert: 'ChimeraLayerFails',
      expr: `sum(rate(${operations}{outcome="failed"}[5m])) / sum(rate(${operations}[5m])) > 0.05`,
      for: '5m',
      labels: { severity: 'critical', layer },
      annotations: {
        summary: `More than 5 % of the operations of layer ${layer} fail`,
        action: 'The logs of the layer name the error codes; `chimera dead-letters list` shows what was given up.',
      },
    },
    {
      alert: 'ChimeraLayerStuck',
      expr: `sum(${LAYER_METRICS.inFlight(layer)}) > 0 unless sum(increase(${operations}[${stuck}])) > 0`,
      for: stuck,
      labels: { severity: 'warning', layer },
      annotations: {
        summary: `Layer ${layer} has work running and has ended none for ${stuck}`,
        action:
          '`chimera status` shows what waits and for which device; the Temporal UI shows the activity and its heartbeat.',
      },
    },
  ];
}

const GENERAL: readonly Rule[] = [
  {
    alert: 'ChimeraProcessDown',
    expr: 'up{job=~"chimera.*"} == 0',
    for: '2m',
    labels: { severity: 'critical' },
    annotations: {
      summary: '{{ $labels.job }} on {{ $labels.instance }} does not answer',
      action: '`chimera status` says what is up. A worker that is gone delays work and loses none.',
    },
  },
  {
    alert: 'ChimeraSlowIngestion',
    expr: `histogram_quantile(0.95, sum by (le) (rate(${LAYER_METRICS.duration('ingestion')}_bucket[5m]))) > 2.5`,
    for: '10m',
    labels: { severity: 'warning', layer: 'ingestion' },
    annotations: {
      summary: 'One in twenty operations of ingestion takes longer than 2.5 s',
      action: 'Look at PostgreSQL first: every accepted task is a committed row.',
    },
  },
  {
    alert: 'ChimeraNothingIngested',
    expr: `sum(increase(${LAYER_METRICS.operations('ingestion')}[15m])) == 0 and sum(increase(${LAYER_METRICS.operations('ingestion')}[1h] offset 15m)) > 0`,
    for: '5m',
    labels: { severity: 'warning', layer: 'ingestion' },
    annotations: {
      summary: 'No task came in for 15 minutes, where the hour before had some',
      action: 'Check the gateway, its callers and the discovery workflows.',
    },
  },
  {
    alert: 'ChimeraTracesDropped',
    expr: `sum(rate(${DROPPED_SPANS}[5m])) > 0`,
    for: '15m',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'The trace collector does not take spans',
      action: 'Work goes on without it. Check the collector and the configured OTLP endpoint.',
    },
  },
];

/** The content of infra/alerts/rules.yml. */
export function alertRules(): string {
  const groups = [
    { name: 'chimera', rules: GENERAL },
    ...LAYERS.map((layer) => ({ name: `chimera-${layer}`, rules: layerRules(layer) })),
  ];
  return `# Written by scripts/monitoring/write.ts; change the rules there.\n${stringify({ groups }, { lineWidth: 0 })}`;
}
