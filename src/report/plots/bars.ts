import type { Html } from '../html.ts';
import { markup } from '../html.ts';
import { WIDTH, at, figureLabel, label, svg, textWidth } from './frame.ts';
import { linear } from './scale.ts';

export interface BarPlot {
  title: string;
  rows: readonly { label: string; value: number }[];
  format: (value: number) => string;
}

const ROW = 28;

/** Amounts as horizontal bars from zero, in the order given, each with its figure and its share of the sum. */
export function barPlot({ title, rows, format }: BarPlot): Html {
  const amounts = rows.map((row) => Math.max(0, row.value));
  const total = amounts.reduce((sum, value) => sum + value, 0);
  const left = Math.max(60, ...rows.map((row) => textWidth(row.label))) + 12;
  const x = linear(0, Math.max(...amounts, 1e-9), left, WIDTH - 140);
  const bars = rows.map((row, index) => {
    const value = amounts[index] ?? 0;
    const y = index * ROW + 4;
    const share = total === 0 ? '' : `${Math.round((value / total) * 100)} %`;
    return [
      label('tick ink', left - 12, y + 15, row.label, 'end'),
      markup`<rect class="bar" x="${at(left)}" y="${at(y)}" width="${at(Math.max(1, x(value) - left))}" height="20" rx="2"/>`,
      figureLabel(Math.max(left + 1, x(value)) + 10, y + 15, format(value), share),
    ];
  });
  const summary = rows.map((row, index) => `${row.label} ${format(amounts[index] ?? 0)}`).join(', ');
  return svg(title, summary || 'no data', rows.length * ROW + 6, bars);
}
