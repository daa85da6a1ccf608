import { LAYERS } from '../../src/contracts/names.ts';
import type { Layer } from '../../src/contracts/names.ts';
import { DROPPED_SPANS, LAYER_METRICS } from '../../src/telemetry/metrics.ts';

/** Grafana dashboards, one a layer and an overview, all from the metric names of the code. */

interface Panel {
  title: string;
  unit: string;
  targets: { expr: string; legendFormat: string }[];
}

const BY_PROJECT = '{project=~"$project"}';

const errors = (layer: Layer): string =>
  `sum(rate(${LAYER_METRICS.operations(layer)}{project=~"$project",outcome="failed"}[5m])) / sum(rate(${LAYER_METRICS.operations(layer)}${BY_PROJECT}[5m]))`;

const quantile = (layer: Layer, q: number, by: string): string =>
  `histogram_quantile(${q}, sum by (${by}) (rate(${LAYER_METRICS.duration(layer)}_bucket${BY_PROJECT}[5m])))`;

function layerPanels(layer: Layer): Panel[] {
  const operations = LAYER_METRICS.operations(layer);
  return [
    {
      title: 'Operations per second',
      unit: 'ops',
      targets: [{ expr: `sum by (operation) (rate(${operations}${BY_PROJECT}[5m]))`, legendFormat: '{{operation}}' }],
    },
    {
      title: 'Outcomes per second',
      unit: 'ops',
      targets: [{ expr: `sum by (outcome) (rate(${operations}${BY_PROJECT}[5m]))`, legendFormat: '{{outcome}}' }],
    },
    { title: 'Share that failed', unit: 'percentunit', targets: [{ expr: errors(layer), legendFormat: 'failed' }] },
    {
      title: 'Duration',
      unit: 's',
      targets: [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(layer, q, 'le'), legendFormat: `p${q * 100}` })),
    },
    {
      title: 'Duration by operation, p95',
      unit: 's',
      targets: [{ expr: quantile(layer, 0.95, 'le, operation'), legendFormat: '{{operation}}' }],
    },
    {
      title: 'Running now',
      unit: 'short',
      targets: [
        {
          expr: `sum by (operation) (${LAYER_METRICS.inFlight(layer)}${BY_PROJECT})`,
          legendFormat: '{{operation}}',
        },
      ],
    },
  ];
}

function overviewPanels(): Panel[] {
  const each = (expr: (layer: Layer) => string): Panel['targets'] =>
    LAYERS.map((layer) => ({ expr: expr(layer), legendFormat: layer }));
  return [
    {
      title: 'Operations per second',
      unit: 'ops',
      targets: each((layer) => `sum(rate(${LAYER_METRICS.operations(layer)}${BY_PROJECT}[5m]))`),
    },
    { title: 'Share that failed', unit: 'percentunit', targets: each(errors) },
    { title: 'Duration, p95', unit: 's', targets: each((layer) => quantile(layer, 0.95, 'le')) },
    {
      title: 'Running now',
      unit: 'short',
      targets: each((layer) => `sum(${LAYER_METRICS.inFlight(layer)}${BY_PROJECT})`),
    },
    {
      title: 'Spans the trace collector did not take, per second',
      unit: 'ops',
      targets: [{ expr: `sum(rate(${DROPPED_SPANS}[5m]))`, legendFormat: 'dropped' }],
    },
  ];
}

function dashboard(name: string, title: string, panels: readonly Panel[]): object {
  const datasource = { type: 'prometheus', uid: '${datasource}' };
  return {
    uid: `chimera-${name}`,
    title: `Chimera · ${title}`,
    tags: ['chimera'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus' },
        {
          name: 'project',
          type: 'query',
          datasource,
          query: `label_values(${LAYER_METRICS.operations('ingestion')}, project)`,
          multi: true,
          includeAll: true,
          allValue: '.*',
          current: { text: 'All', value: '$__all' },
        },
      ],
    },
    panels: panels.map((panel, index) => ({
      id: index + 1,
      type: 'timeseries',
      title: panel.title,
      datasource,
      gridPos: { x: (index % 2) * 12, y: Math.floor(index / 2) * 8, w: 12, h: 8 },
      fieldConfig: { defaults: { unit: panel.unit, min: 0 }, overrides: [] },
      targets: panel.targets.map((target, place) => ({ ...target, refId: String.fromCharCode(65 + place) })),
    })),
  };
}

/** File name in infra/dashboards/ → content. */
export function dashboards(): Map<string, string> {
  const text = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
  return new Map([
    ['overview.json', text(dashboard('overview', 'overview', overviewPanels()))],
    ...LAYERS.map((layer): [string, string] => [`${layer}.json`, text(dashboard(layer, layer, layerPanels(layer)))]),
  ]);
}
