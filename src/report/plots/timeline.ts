import type { Html } from '../html.ts';
import { markup } from '../html.ts';
import { compact } from '../format.ts';
import { WIDTH, at, dot, label, rule, seriesClass, svg, textWidth } from './frame.ts';
import type { Mark } from './line.ts';
import { linear } from './scale.ts';

export interface TimelineSpan {
  from: number;
  /** Exclusive. */
  to: number;
  label: string;
  style: number;
}

export interface Timeline {
  title: string;
  domain: readonly [number, number];
  /** Who serves which ordinals. */
  spans: readonly TimelineSpan[];
  marks: readonly Mark[];
  /** Right end of the plotted area: the same as of the line plots above and below. */
  right?: number;
}

const CHIP = 20;

/** The stream by ordinal: who serves it, and the letters of what happened where. */
export function timeline({ title, domain, spans, marks, right = WIDTH - 16 }: Timeline): Html {
  const x = linear(domain[0], domain[1], 56, right, 7);
  // A letter that would cover one before it goes a row up.
  const rows: number[] = [];
  const placed = marks
    .toSorted((a, b) => a.x - b.x)
    .map((mark) => {
      const place = x(mark.x);
      const free = rows.findIndex((end) => place - end >= CHIP);
      const row = free === -1 ? rows.length : free;
      rows[row] = place;
      return { mark, place, row };
    });
  const top = Math.max(1, rows.length) * CHIP + 10;
  const bars = spans.map((span) => {
    const from = x(span.from);
    const wide = Math.max(1, x(span.to) - from - 1.5);
    const name = textWidth(span.label) + 12 < wide ? span.label : '';
    return [
      markup`<rect class="span ${seriesClass(span.style)}" x="${at(from)}" y="${at(top)}" width="${at(wide)}" height="30" rx="2">`,
      markup`<title>${span.label}: ${compact(span.from)} to ${compact(span.to)}</title></rect>`,
      label('on', from + 8, top + 19, name),
    ];
  });
  const chips = placed.map(({ mark, place, row }) => {
    const y = top - 12 - row * CHIP;
    return [
      rule(`mark ${mark.kind}`, place, y + 8, place, top + 30),
      dot(`chip ${mark.kind}`, place, y, 8.5),
      label('key', place, y + 4, mark.key, 'middle'),
    ];
  });
  const ticks = x.ticks.map((tick) => label('tick', x(tick), top + 48, compact(tick), 'middle'));
  const summary = spans.map((s) => `${s.label} serves ordinals ${s.from} to ${s.to - 1}`).join('; ');
  return svg(title, summary, top + 58, [bars, chips, ticks]);
}
