import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { alertRules } from '../../scripts/monitoring/alerts.ts';
import { dashboards } from '../../scripts/monitoring/dashboards.ts';
import { LAYERS } from '../../src/contracts/names.ts';
import { DROPPED_SPANS, measure } from '../../src/telemetry/metrics.ts';
import { startTelemetry } from '../../src/telemetry/telemetry.ts';

const INFRA = join(import.meta.dirname, '../../infra');
const read = (path: string): string => readFileSync(join(INFRA, path), 'utf8');

interface Dashboard {
  uid: string;
  panels: { title: string; targets: { expr: string }[] }[];
}

interface Rules {
  groups: {
    name: string;
    rules: { alert: string; expr: string; annotations: { summary: string; action: string } }[];
  }[];
}

/** Every expression of the dashboards and the alert rules, with where it stands. */
function expressions(): { where: string; expr: string }[] {
  const panels = readdirSync(join(INFRA, 'dashboards')).flatMap((file) =>
    (JSON.parse(read(`dashboards/${file}`)) as Dashboard).panels.flatMap((panel) =>
      panel.targets.map(({ expr }) => ({ where: `${file}: ${panel.title}`, expr })),
    ),
  );
  const rules = (parse(read('alerts/rules.yml')) as Rules).groups.flatMap((group) =>
    group.rules.map((rule) => ({ where: `${group.name}: ${rule.alert}`, expr: rule.expr })),
  );
  return [...panels, ...rules];
}

describe('dashboards and alert rules', () => {
  it('are what the code writes', () => {
    assert.equal(read('alerts/rules.yml'), alertRules());
    const files = dashboards();
    assert.deepEqual(readdirSync(join(INFRA, 'dashboards')).sort(), [...files.keys()].sort());
    for (const [name, text] of files) assert.equal(read(`dashboards/${name}`), text);
    for (const layer of LAYERS) assert.ok(files.has(`${layer}.json`));
  });

  it('name only metrics and labels that a scrape has', async () => {
    const telemetry = await startTelemetry({ serviceName: 'test', logLevel: 'silent' });
    for (const layer of LAYERS) await measure(layer, 'work', () => undefined);
    const text = await telemetry.metricsText();
    await telemetry.shutdown();
    const series = new Set([...text.matchAll(/^(\w+)\{/gm)].map((match) => match[1]));
    // A counter that has counted nothing yet has no series.
    series.add(DROPPED_SPANS);
    const labels = new Set([...text.matchAll(/(\w+)="/g)].map((match) => match[1]).concat('job'));
    const named = new Set<string>();
    for (const { where, expr } of expressions()) {
      for (const [metric] of expr.matchAll(/\bchimera_\w+/g)) {
        assert.ok(series.has(metric), `${where}: no metric ${metric}`);
        named.add(metric);
      }
      for (const [, label] of expr.matchAll(/[{,](\w+)=~?"/g))
        assert.ok(labels.has(label!), `${where}: no label ${label}`);
      for (const [, by] of expr.matchAll(/by \(([^)]*)\)/g))
        for (const label of by!.split(', ')) assert.ok(labels.has(label), `${where}: no label ${label}`);
    }
    assert.ok(named.size >= 3 * LAYERS.length + 1);
  });

  it('have balanced expressions, unique alerts a group, and say what to do', () => {
    for (const { where, expr } of expressions())
      for (const [open, close] of ['()', '[]', '{}'])
        assert.equal(expr.split(open!).length, expr.split(close!).length, `${where}: ${expr}`);
    for (const group of (parse(read('alerts/rules.yml')) as Rules).groups) {
      assert.equal(new Set(group.rules.map((rule) => rule.alert)).size, group.rules.length);
      for (const rule of group.rules) assert.ok(rule.annotations.summary && rule.annotations.action);
    }
  });
});
