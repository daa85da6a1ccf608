import type { Html } from '../html.ts';
import { markup } from '../html.ts';
import { compact } from '../format.ts';
import type { Box } from './frame.ts';
import { WIDTH, at, axes, dot, label, path, rule, seriesClass, spreadLabels, svg, textWidth } from './frame.ts';
import { extent, linear, logarithmic } from './scale.ts';

export interface LinePoint {
  x: number;
  y: number;
  /** Lower and upper end of a band around the line. */
  low?: number;
  high?: number;
}

export interface LineSeries {
  name: string;
  points: readonly LinePoint[];
  /** Colour and dash of the series; default: its place in the list. */
  style?: number;
}

/** A vertical line with a letter, explained beside the plot. */
export interface Mark {
  x: number;
  key: string;
  kind: string;
}

export interface LinePlot {
  title: string;
  series: readonly LineSeries[];
  xLabel: string;
  yLabel: string;
  yFormat?: (value: number) => string;
  /** Default: what the data spans. */
  xDomain?: readonly [number, number];
  yDomain?: readonly [number, number];
  logY?: boolean;
  marks?: readonly Mark[];
  /** Horizontal lines, for example a threshold. */
  levels?: readonly { y: number; label: string }[];
  height?: number;
  /** Right end of the plotted area; default: room for the names at the ends of the lines. */
  right?: number;
}

/** Lines with optional bands, each named at its end, over a shared x. */
export function linePlot(plot: LinePlot): Html {
  const drawn = plot.series
    .map((series, index) => ({
      ...series,
      style: series.style ?? index,
      points: series.points.filter((p) => Number.isFinite(p.x) && Number.isFinite(p.y)),
    }))
    .filter((series) => series.points.length > 0);
  const levels = plot.levels ?? [];
  const format = plot.yFormat ?? compact;
  const points = drawn.flatMap((series) => series.points);
  const labels = Math.max(0, ...drawn.map((series) => textWidth(series.name)));
  const height = plot.height ?? 260;
  const box: Box = { left: 56, right: plot.right ?? WIDTH - Math.max(16, labels + 16), top: 34, bottom: height - 44 };

  const [x0, x1] = plot.xDomain ?? extent(points.map((p) => p.x));
  const heights = [...points.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]), ...levels.map((level) => level.y)];
  const [y0, y1] = plot.yDomain ?? extent(plot.logY ? heights.filter((y) => y > 0) : heights, plot.logY ? 0 : 0.06);
  const x = linear(x0, x1, box.left, box.right, 7);
  const y = plot.logY
    ? logarithmic(Math.max(y0, 1e-12), y1, box.bottom, box.top)
    : linear(y0, y1, box.bottom, box.top, 5);

  const through = (pairs: readonly (readonly [number, number])[]): string =>
    pairs.map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${at(x(px))} ${at(y(py))}`).join('');
  const lines = drawn.map(({ points: own, style }) => {
    const banded = own.filter((p) => p.low !== undefined && p.high !== undefined);
    const band = [
      ...banded.map((p) => [p.x, p.high ?? p.y] as const),
      ...banded.toReversed().map((p) => [p.x, p.low ?? p.y] as const),
    ];
    const only = own.length === 1 ? own[0] : undefined;
    return [
      banded.length > 1 ? path(`band ${seriesClass(style)}`, `${through(band)}Z`) : '',
      only
        ? dot(`dot ${seriesClass(style)}`, x(only.x), y(only.y), 3.5)
        : path(`line ${seriesClass(style)}`, through(own.map((p) => [p.x, p.y]))),
    ];
  });
  const ends = drawn.map((series) => series.points.at(-1)!);
  const places = spreadLabels(
    ends.map((end) => y(end.y)),
    15,
  );
  const names = drawn.map((series, index) =>
    label(
      `end ${seriesClass(series.style)}`,
      Math.min(x(ends[index]!.x), box.right) + 8,
      places[index]! + 4,
      series.name,
    ),
  );
  const marks = (plot.marks ?? []).map((mark) => rule(`mark ${mark.kind}`, x(mark.x), box.top, x(mark.x), box.bottom));
  const thresholds = levels.map((level) => [
    rule('level', box.left, y(level.y), box.right, y(level.y)),
    label('note', box.left + 6, y(level.y) - 6, level.label),
  ]);
  const summary = drawn
    .map((series, index) => `${series.name} ends at ${format(ends[index]!.y)}`)
    .concat(levels.map((level) => `${level.label} at ${format(level.y)}`))
    .join('; ');
  const frame = axes(box, { scale: x, label: plot.xLabel, format: compact }, { scale: y, label: plot.yLabel, format });
  return svg(plot.title, summary || 'no data', height, markup`${frame}${marks}${thresholds}${lines}${names}`);
}
