import type { Html } from '../html.ts';
import { WIDTH, at, dot, figureLabel, label, path, rule, seriesClass, svg, textWidth } from './frame.ts';
import { extent, linear } from './scale.ts';

export interface IntervalRow {
  label: string;
  value: number;
  low: number;
  high: number;
  style?: number;
}

export interface IntervalPlot {
  title: string;
  groups: readonly { name: string; rows: readonly IntervalRow[] }[];
  format: (value: number) => string;
  /** Default: `format`. */
  tickFormat?: (value: number) => string;
}

const ROW = 26;

/**
 * Values with error bars, one row each, in groups. A dot and not a bar: the scale does not begin at zero, where the
 * length of a bar would lie.
 */
export function intervalPlot(plot: IntervalPlot): Html {
  const rows = plot.groups.flatMap((group) => group.rows);
  const labels = Math.max(60, ...rows.map((row) => textWidth(row.label)));
  const left = Math.min(260, labels) + 20;
  const right = WIDTH - 210;
  const [low, high] = extent(
    rows.flatMap((row) => [row.low, row.high, row.value]),
    0.08,
  );
  const x = linear(low, high, left, right, 5);
  let y = 8;
  const parts: Html[] = [];
  for (const group of plot.groups) {
    if (group.name !== '') {
      parts.push(label('group', 0, y + 16, group.name));
      y += 30;
    }
    for (const [index, row] of group.rows.entries()) {
      const style = seriesClass(row.style ?? index);
      const middle = y + ROW / 2;
      const cap = (value: number): string => `M${at(x(value))} ${at(middle - 5)}v10`;
      parts.push(
        rule('grid', left, middle, right, middle),
        label('tick ink', left - 12, middle + 4, row.label, 'end'),
        path(`whisker ${style}`, `M${at(x(row.low))} ${at(middle)}H${at(x(row.high))}${cap(row.low)}${cap(row.high)}`),
        dot(`dot ${style}`, x(row.value), middle, 5),
        figureLabel(
          right + 16,
          middle + 4,
          plot.format(row.value),
          `${plot.format(row.low)} – ${plot.format(row.high)}`,
        ),
      );
      y += ROW;
    }
    y += 12;
  }
  const ticks = x.ticks.map((tick) => [
    rule('axis', x(tick), y, x(tick), y + 5),
    label('tick', x(tick), y + 20, (plot.tickFormat ?? plot.format)(tick), 'middle'),
  ]);
  const summary = plot.groups
    .map((g) => `${g.name}: ${g.rows.map((row) => `${row.label} ${plot.format(row.value)}`).join(', ')}`)
    .join('; ');
  return svg(plot.title, summary || 'no data', y + 28, [parts, rule('axis', left, y, right, y), ticks]);
}
