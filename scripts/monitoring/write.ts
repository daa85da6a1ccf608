import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { alertRules } from './alerts.ts';
import { dashboards } from './dashboards.ts';

/** Writes infra/dashboards/ and infra/alerts/. A test fails where they and the code have come apart. */

const infra = join(import.meta.dirname, '../../infra');
const files = [
  ...[...dashboards()].map(([name, text]) => [join(infra, 'dashboards', name), text] as const),
  [join(infra, 'alerts', 'rules.yml'), alertRules()] as const,
];
for (const [path, text] of files) {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
}
console.log(`${files.length} files written`);
