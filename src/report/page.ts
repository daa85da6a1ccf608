import type { JsonValue } from '../contracts/records.ts';
import type { HtmlValue } from './html.ts';
import { Html, markup } from './html.ts';
import { STYLE } from './style.ts';

/** The shell of a report and the parts that both reports are made of. */

export const FOOTER = 'Made from recorded data; the JSON beside this file holds the same figures.';

export interface Page {
  eyebrow: string;
  headline: string;
  lede: string;
  figures: readonly KeyFigure[];
  body: HtmlValue;
  footer: string;
}

export interface KeyFigure {
  name: string;
  value: string;
  note?: string;
}

/** One file with everything in it: no script, no request to anywhere (the policy forbids both). */
export function page({ eyebrow, headline, lede, figures, body, footer }: Page): string {
  const cells = figures.map(({ name, value, note }) => {
    const small = note === undefined ? '' : markup`<small>${note}</small>`;
    return markup`<div><dt>${name}</dt><dd>${value}${small}</dd></div>`;
  });
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${headline} · ${eyebrow}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>
<p class="eyebrow">${eyebrow}</p><h1>${headline}</h1><p class="lede">${lede}</p>
<dl class="figures">${cells}</dl>
</header>
<main>${body}</main>
<footer>${footer}</footer>
</body>
</html>
`.markup;
}

export function section(title: string, text: string, ...body: HtmlValue[]): Html {
  return markup`<section><h2>${title}</h2>${text && markup`<p>${text}</p>`}${body}</section>`;
}

/** A plot under its caption; it scrolls sideways on a narrow screen rather than shrink to nothing. */
export function plotFigure(title: string, text: string, plot: Html): Html {
  return markup`<figure><figcaption><b>${title}</b> ${text}</figcaption>${scrolling(plot)}</figure>`;
}

function scrolling(content: Html): Html {
  return markup`<div class="scroll" tabindex="0">${content}</div>`;
}

export interface TableRow {
  cells: readonly HtmlValue[];
  chosen?: boolean;
}

/** A table whose first column names the rows. `text` columns are left-aligned. */
export function table(heads: readonly string[], rows: readonly TableRow[], text: readonly number[] = []): Html {
  const kind = (column: number): string => (text.includes(column) ? 'text' : 'number');
  const head = heads.map((name, column) => markup`<th scope="col" class="${kind(column)}">${name}</th>`);
  const body = rows.map(({ cells, chosen }) => {
    const [name, ...others] = cells;
    const data = others.map((cell, index) => markup`<td class="${kind(index + 1)}">${cell}</td>`);
    return markup`<tr class="${chosen === true ? 'chosen' : 'plain'}"><th scope="row">${name}</th>${data}</tr>`;
  });
  return scrolling(markup`<table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`);
}

/** A verdict in words and colour. */
export function state(text: string, kind: 'yes' | 'no' | 'open'): Html {
  return markup`<span class="state ${kind}">${text}</span>`;
}

/** Names and values of a JSON object, nested ones as JSON. */
export function pairs(object: Readonly<Record<string, JsonValue>>): Html {
  const show = (value: JsonValue): string => (typeof value === 'string' ? value : JSON.stringify(value));
  const entries = Object.entries(object).map(([name, value]) => markup`<dt>${name}</dt><dd>${show(value)}</dd>`);
  return markup`<dl class="pairs">${entries}</dl>`;
}

/** A program, and what was added to and removed from its parent, line by line. */
export function diff(text: string): Html {
  const lines = text.split('\n').map((line) => {
    // Blocks end their own line; a newline after them would be an empty one.
    if (line.startsWith('+')) return markup`<ins>${line}</ins>`;
    if (line.startsWith('-')) return markup`<del>${line}</del>`;
    return markup`${line}\n`;
  });
  return markup`<pre tabindex="0">${lines}</pre>`;
}
