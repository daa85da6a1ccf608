/** One metric of a Prometheus text: what stands above its series, and the series in their order. */
interface Family {
  readonly comments: string[];
  type: string;
  readonly series: Map<string, number>;
}

/** Kinds that only ever grow: what a process counted stays true when it is gone. */
const GROWING = ['counter', 'histogram', 'summary'];

/**
 * The Prometheus texts of several processes as one: equal series are added up, so that counters, histograms and gauges of
 * what is going on are those of all of them. Throws a SyntaxError on a line that is none.
 */
export function mergeMetrics(texts: readonly string[]): string {
  const families = new Map<string, Family>();
  for (const text of texts) read(text, families);
  return write(families.values());
}

/** What of a process's text still counts after its end: no gauges. */
export function growingMetrics(text: string): string {
  const families = new Map<string, Family>();
  read(text, families);
  return write([...families.values()].filter(({ type }) => GROWING.includes(type)));
}

function read(text: string, families: Map<string, Family>): void {
  let current: Family | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line);
    if (comment !== null) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string];
      current = familyOf(families, name);
      if (kind === 'TYPE') current.type = rest;
      if (!current.comments.includes(line)) current.comments.push(line);
      continue;
    }
    if (line.startsWith('#')) continue;
    // The value is behind the last blank: label values may hold any.
    const at = line.lastIndexOf(' ');
    const value = numberOf(line.slice(at + 1));
    if (at < 1 || value === undefined) throw new SyntaxError(`no Prometheus series: ${line.slice(0, 200)}`);
    const series = line.slice(0, at);
    const family = current ?? familyOf(families, series.replace(/\{.*$/s, ''));
    family.series.set(series, (family.series.get(series) ?? 0) + value);
  }
}

function familyOf(families: Map<string, Family>, name: string): Family {
  const family = families.get(name) ?? { comments: [], type: 'untyped', series: new Map<string, number>() };
  families.set(name, family);
  return family;
}

function numberOf(text: string): number | undefined {
  const named = { '+Inf': Infinity, '-Inf': -Infinity, NaN: Number.NaN }[text];
  if (named !== undefined) return named;
  return text === '' || Number.isNaN(Number(text)) ? undefined : Number(text);
}

function write(families: Iterable<Family>): string {
  const lines: string[] = [];
  for (const { comments, series } of families) {
    lines.push(...comments);
    for (const [name, value] of series)
      lines.push(`${name} ${value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : value}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}
