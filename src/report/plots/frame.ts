import type { Html, HtmlValue } from '../html.ts';
import { markup } from '../html.ts';
import type { Scale } from './scale.ts';

/** What all plots share: the SVG itself, its axes, its labels. Colours come from the page's CSS variables. */

export const WIDTH = 720;

export interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Axis {
  scale: Scale;
  label: string;
  format: (value: number) => string;
}

/** A coordinate with at most two decimals, so that the file stays small and the bytes the same everywhere. */
export function at(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** About how wide `text` is at the plots' 12 px, on the wide side: fonts differ. */
export function textWidth(text: string): number {
  return text.length * 7.4;
}

/** CSS class of series `index`: colour and dash pattern, so that a series is known without colour too. */
export function seriesClass(index: number): string {
  return `s${index % 6}`;
}

/** An SVG with its text alternative: `title` names it, `summary` says what it shows. */
export function svg(title: string, summary: string, height: number, body: HtmlValue): Html {
  return markup`<svg viewBox="0 0 ${WIDTH} ${at(height)}" role="img" aria-label="${title}. ${summary}">${body}</svg>`;
}

/** A straight line. `kind` is its class in the style sheet, here and below. */
export function rule(kind: string, x1: number, y1: number, x2: number, y2: number): Html {
  return markup`<line class="${kind}" x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}"/>`;
}

export function path(kind: string, d: string): Html {
  return markup`<path class="${kind}" d="${d}"/>`;
}

/** A point, with what a pointer that rests on it is told. */
export function dot(kind: string, x: number, y: number, radius: number, tip?: string): Html {
  const title = tip === undefined ? '' : markup`<title>${tip}</title>`;
  return markup`<circle class="${kind}" cx="${at(x)}" cy="${at(y)}" r="${at(radius)}">${title}</circle>`;
}

export function label(
  kind: string,
  x: number,
  y: number,
  content: HtmlValue,
  anchor: 'start' | 'middle' | 'end' = 'start',
): Html {
  return markup`<text class="${kind}" x="${at(x)}" y="${at(y)}" text-anchor="${anchor}">${content}</text>`;
}

/** A figure in bold and, lighter, what belongs to it. */
export function figureLabel(x: number, y: number, figure: string, aside: string): Html {
  return label('figure', x, y, markup`${figure}<tspan class="tick" dx="8">${aside}</tspan>`);
}

/** Horizontal grid with labels on the left, ticks below, names of both axes. */
export function axes(box: Box, x: Axis, y: Axis): Html {
  const rows = y.scale.ticks.map((tick) => [
    rule('grid', box.left, y.scale(tick), box.right, y.scale(tick)),
    label('tick', box.left - 8, y.scale(tick) + 4, y.format(tick), 'end'),
  ]);
  const columns = x.scale.ticks.map((tick) => label('tick', x.scale(tick), box.bottom + 18, x.format(tick), 'middle'));
  return markup`${rows}${rule('axis', box.left, box.bottom, box.right, box.bottom)}${columns}${[
    label('name', box.right, box.bottom + 36, x.label, 'end'),
    label('name', box.left, box.top - 12, y.label),
  ]}`;
}

/** Moves labels apart that would overlap, keeping their order; `gap` is the least distance. */
export function spreadLabels(places: readonly number[], gap: number): number[] {
  const order = places.map((place, index) => ({ place, index })).sort((a, b) => a.place - b.place);
  const result = new Array<number>(places.length).fill(0);
  let last = -Infinity;
  for (const { place, index } of order) {
    last = Math.max(place, last + gap);
    result[index] = last;
  }
  return result;
}
