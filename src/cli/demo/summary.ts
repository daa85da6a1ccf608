import { compact, duration, percent } from '../../report/format.ts';
import type { DemoReport, Estimate } from '../../report/data.ts';
import { table } from '../output.ts';

const withInterval = ({ value, low, high }: Estimate): string => `${percent(value)} (${percent(low)}–${percent(high)})`;

/** What the demo ends with. */
export function summaryText(report: DemoReport, run: { file: string; seconds: number }): string {
  const agents = table(report.agents, [
    { title: 'agent', value: (agent) => agent.name },
    { title: 'accuracy', value: (agent) => withInterval(agent.accuracy) },
    { title: 'balanced accuracy', value: (agent) => withInterval(agent.balancedAccuracy) },
    { title: 'F1', value: (agent) => withInterval(agent.f1) },
    { title: 'fuel per 1,000', value: (agent) => compact(agent.fuelPer1000), numeric: true },
    { title: 'model calls per 1,000', value: (agent) => compact(agent.modelCallsPer1000), numeric: true },
  ]);
  const models = table(report.models, [
    { title: 'model', value: ({ name }) => name },
    { title: 'balanced accuracy on validation', value: ({ balancedAccuracy }) => percent(balancedAccuracy) },
    { title: 'price of a call', value: ({ price }) => String(price), numeric: true },
    { title: 'asked by', value: ({ askedBy }) => (askedBy.length === 0 ? 'nobody' : askedBy.join(', ')) },
  ]);
  const layers = report.layers
    .filter(({ seconds }) => seconds > 0)
    .map(({ layer, seconds }) => `${layer} ${duration(seconds)}`)
    .join(', ');
  return [
    `Judged once on ${report.judged} tasks that nobody served or learned from (95 % intervals):`,
    '',
    agents,
    '',
    'What the last cycle trained. Evolution weighs an answer against its price; an adapter that a cheaper model equals is not offered to it:',
    '',
    models,
    '',
    ...(layers === '' ? [] : [`Time in activities by layer: ${layers}`]),
    `Whole run: ${duration(run.seconds)}`,
    `Report with plots: ${run.file}`,
    ...report.urls.map(({ label, url }) => `${label}: ${url}`),
    '',
    'Try:',
    ...report.commands.flatMap(({ title, command }) => [`  # ${title}`, `  ${command}`]),
  ].join('\n');
}
