import { canonicalJson } from './canonical.ts';

/** Canonical JSONL: one canonical JSON text a line, each line ended. */
export function writeJsonLines(values: Iterable<unknown>): Uint8Array {
  const lines: string[] = [];
  for (const value of values) lines.push(canonicalJson(value), '\n');
  return new TextEncoder().encode(lines.join(''));
}

/** The values of a JSONL text, in order; empty lines are skipped. Throws SyntaxError on a line that is not JSON. */
export function readJsonLines<T>(bytes: Uint8Array): T[] {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
