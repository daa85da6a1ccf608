import type { Html } from '../html.ts';
import { compact } from '../format.ts';
import type { Box } from './frame.ts';
import { WIDTH, at, axes, dot, label, path, svg } from './frame.ts';
import { extent, linear } from './scale.ts';

export interface ScatterPoint {
  id: string;
  /** Less is better. */
  cost: number;
  /** More is better. */
  quality: number;
  chosen: boolean;
}

export interface ScatterPlot {
  title: string;
  points: readonly ScatterPoint[];
  costLabel: string;
  qualityLabel: string;
  qualityFormat: (value: number) => string;
}

/** A Pareto front: quality against cost, the steps of the front drawn, the chosen ones named. */
export function scatterPlot(plot: ScatterPlot): Html {
  const points = plot.points.filter((p) => Number.isFinite(p.cost) && Number.isFinite(p.quality));
  const height = 280;
  const box: Box = { left: 56, right: WIDTH - 24, top: 34, bottom: height - 44 };
  const [c0, c1] = extent(
    points.map((p) => p.cost),
    0.06,
  );
  const x = linear(points.every((p) => p.cost >= 0) ? Math.max(0, c0) : c0, c1, box.left, box.right, 7);
  const y = linear(
    ...extent(
      points.map((p) => p.quality),
      0.12,
    ),
    box.bottom,
    box.top,
    5,
  );
  const byCost = points.toSorted((a, b) => a.cost - b.cost || b.quality - a.quality);
  const front = byCost.filter((p, index) => byCost.slice(0, index).every((q) => q.quality < p.quality));
  // A cost buys the quality of the best candidate at or below it: the front is a staircase.
  const stairs = front
    .map((p, i) => (i === 0 ? `M${at(x(p.cost))} ${at(y(p.quality))}` : `H${at(x(p.cost))}V${at(y(p.quality))}`))
    .join('');
  const dots = byCost.map((p) => {
    const kind = p.chosen ? 'chosen' : front.includes(p) ? 'front' : 'behind';
    const tip = `${p.id}: ${plot.qualityFormat(p.quality)} at ${compact(p.cost)}`;
    return dot(`dot ${kind}`, x(p.cost), y(p.quality), p.chosen ? 6.5 : 4, tip);
  });
  const names = byCost
    .filter((p) => p.chosen)
    .map((p) => {
      const onRight = x(p.cost) > (box.left + box.right) / 2;
      return label('end chosen', x(p.cost) + (onRight ? -12 : 12), y(p.quality) - 10, p.id, onRight ? 'end' : 'start');
    });
  const chosen = byCost
    .filter((p) => p.chosen)
    .map((p) => `chosen ${p.id}: ${plot.qualityFormat(p.quality)} at ${compact(p.cost)}`);
  const frame = axes(
    box,
    { scale: x, label: plot.costLabel, format: compact },
    { scale: y, label: plot.qualityLabel, format: plot.qualityFormat },
  );
  const summary = `${points.length} candidates, ${front.length} on the front. ${chosen.join('; ')}`;
  return svg(plot.title, summary, height, [frame, path('line front', stairs), dots, names]);
}
