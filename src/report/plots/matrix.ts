import type { Html } from '../html.ts';
import { markup } from '../html.ts';
import { percent } from '../format.ts';

export interface Confusion {
  title: string;
  labels: readonly string[];
  /** counts[right][answered], in the order of `labels`. */
  counts: readonly (readonly number[])[];
}

/** A confusion matrix as a real table, so that it reads aloud; shades are shares of the row. */
export function confusionMatrix({ title, labels, counts }: Confusion): Html {
  const head = labels.map((label) => markup`<th scope="col">${label}</th>`);
  const rows = labels.map((label, right) => {
    const row = counts[right] ?? [];
    const total = row.reduce((sum, count) => sum + count, 0);
    const cells = labels.map((_, answered) => {
      const count = row[answered] ?? 0;
      const share = total === 0 ? 0 : count / total;
      const kind = right === answered ? 'hit' : 'miss';
      const cell = markup`<b>${count.toLocaleString('en-US')}</b><span>${percent(share)}</span>`;
      return markup`<td class="${kind}" style="--share:${share.toFixed(3)}">${cell}</td>`;
    });
    return markup`<tr><th scope="row">${label}</th>${cells}</tr>`;
  });
  return markup`<table class="confusion"><caption>${title}</caption>
<thead><tr><td></td>${head}</tr></thead>
<tbody>${rows}</tbody></table>`;
}
