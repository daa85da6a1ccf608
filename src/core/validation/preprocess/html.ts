const BLOCK = new Set(
  (
    'address article aside blockquote body br center dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 head header hr html li ' +
    'main nav ol p pre section table tbody td tfoot th thead title tr ul'
  ).split(' '),
);
/** Elements whose content is no text for a reader. */
const RAW = new Set(['script', 'style', 'noscript', 'template']);

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  copy: '©',
  reg: '®',
  trade: '™',
  euro: '€',
  pound: '£',
  yen: '¥',
  cent: '¢',
  hellip: '…',
  mdash: '—',
  ndash: '–',
  lsquo: '‘',
  rsquo: '’',
  ldquo: '“',
  rdquo: '”',
  bull: '•',
  middot: '·',
  raquo: '»',
  laquo: '«',
  eacute: 'é',
  egrave: 'è',
  agrave: 'à',
  auml: 'ä',
  ouml: 'ö',
  uuml: 'ü',
  Auml: 'Ä',
  Ouml: 'Ö',
  Uuml: 'Ü',
  szlig: 'ß',
  ccedil: 'ç',
  ntilde: 'ñ',
};

/** Character references to characters; an unknown one stays as it is. */
export function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]{2,8}));?/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name as string] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex as string, 16) : Number.parseInt(decimal as string, 10);
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : ' ';
  });
}

/** The lower-case element name that starts at `at`, empty where there is none. */
function elementName(html: string, at: number): string {
  let end = at;
  while (end < html.length && end - at < 16) {
    const code = html.charCodeAt(end) | 0x20;
    const digit = html.charCodeAt(end) >= 0x30 && html.charCodeAt(end) <= 0x39;
    if (!(code >= 0x61 && code <= 0x7a) && !(digit && end > at)) break;
    end++;
  }
  return html.slice(at, end).toLowerCase();
}

/** Where the end tag of a raw element begins, or the end of the page. */
function rawEnd(html: string, from: number, name: string): number {
  let at = html.indexOf('</', from);
  while (at >= 0 && elementName(html, at + 2) !== name) at = html.indexOf('</', at + 2);
  return at < 0 ? html.length : at;
}

/**
 * The text that a reader of an HTML page sees, block elements on lines of their own. One pass that never goes back, so
 * that hostile markup costs no more than its length; it does not lay out tables or print link targets.
 */
export function htmlToText(html: string): string {
  const parts: string[] = [];
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf('<', at);
    if (open < 0) break;
    if (open > at) parts.push(html.slice(at, open));
    const next = html.charCodeAt(open + 1);
    if (next === 0x21 || next === 0x3f) {
      const comment = html.startsWith('<!--', open);
      const close = comment ? html.indexOf('-->', open + 4) : html.indexOf('>', open);
      at = close < 0 ? html.length : close + (comment ? 3 : 1);
      continue;
    }
    const closing = next === 0x2f;
    const name = elementName(html, open + (closing ? 2 : 1));
    if (name === '') {
      parts.push('<');
      at = open + 1;
      continue;
    }
    const end = html.indexOf('>', open);
    // A tag that never closes swallows the rest, as it does in a browser.
    at = end < 0 ? html.length : end + 1;
    if (BLOCK.has(name)) parts.push('\n');
    if (RAW.has(name) && !closing) at = rawEnd(html, at, name);
  }
  if (at < html.length) parts.push(html.slice(at));
  return decodeEntities(parts.join(''));
}
