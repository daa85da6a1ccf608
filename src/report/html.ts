/**
 * HTML that cannot be broken out of: text becomes markup only through the {@link markup} tag, which escapes every value
 * that is not markup already. Attribute values are always written in double quotes.
 */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

export type HtmlValue = Html | string | number | undefined | readonly HtmlValue[];

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as HTML shows it: entities escaped, lone surrogates and control characters replaced. */
export function escape(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

function render(value: HtmlValue): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.markup;
  if (typeof value === 'object') return value.map(render).join('');
  return escape(String(value));
}

/** Markup from a template; values are escaped unless they are markup themselves, lists are joined. */
export function markup(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(strings.map((text, index) => text + render(values[index])).join(''));
}

/** A link where `url` is http or https, else its text alone. */
export function link(url: string, label: string): Html {
  const safe = /^https?:\/\/[^\s]+$/i.test(url);
  return safe ? markup`<a href="${url}" rel="noreferrer">${label}</a>` : markup`<span>${label}</span>`;
}
