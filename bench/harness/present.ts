import { availableParallelism, cpus } from 'node:os';
import { isChimeraError } from '../../src/contracts/errors.ts';
import type { JsonValue } from '../../src/contracts/records.ts';
import type { BenchmarkResult, Criterion } from './types.ts';

export interface Machine {
  cpu: string;
  cores: number;
  node: string;
}

export interface BenchmarkReport extends BenchmarkResult {
  name: string;
  machine: Machine;
}

export function machine(): Machine {
  return { cpu: cpus()[0]?.model.trim() ?? 'unknown', cores: availableParallelism(), node: process.version };
}

const passed = (criteria: readonly Criterion[]): boolean =>
  criteria.length > 0 && criteria.every((criterion) => criterion.pass);

/** 0 only where there are criteria and all of them pass. */
export function exitCode(report: BenchmarkReport): 0 | 1 {
  return passed(report.criteria) ? 0 : 1;
}

/** What to print of an error: a mistake in the command is one line, a defect has its stack. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const expected = isChimeraError(error) || ('code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
  return expected ? error.message : (error.stack ?? error.message);
}

/** Numbers to four significant digits, with thousands set apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) || Math.abs(value) >= 10_000) return Math.round(value).toLocaleString('en-US');
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}

function show(value: JsonValue): string {
  if (typeof value === 'number') return figure(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.map(show).join(', ');
  const { median, low, high, ...rest } = value;
  if (typeof median === 'number' && typeof low === 'number' && typeof high === 'number' && 'rounds' in rest)
    return `${figure(median)}  (middle half of ${show(rest['rounds'] ?? 0)} rounds: ${figure(low)} to ${figure(high)})`;
  if (typeof median === 'number' && typeof low === 'number' && typeof high === 'number' && 'coverage' in rest)
    return `${figure(median)}  [${figure(low)}, ${figure(high)}]`;
  return Object.entries(value)
    .map(([name, inner]) => `${name} ${show(inner)}`)
    .join(', ');
}

/** Columns as wide as their widest cell, two spaces apart. */
function columns(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** The report as a table for people. */
export function table(report: BenchmarkReport): string {
  const { cpu, cores, node } = report.machine;
  const figures = Object.entries(report.figures).map(([name, value]) => [`  ${name}`, show(value)]);
  const criteria = report.criteria.map((c) => [
    `  ${c.pass ? 'pass' : 'FAIL'}`,
    c.name,
    `${figure(c.value)}${c.unit && ` ${c.unit}`}`,
    `${c.relation} ${figure(c.bound)}`,
  ]);
  const verdict = passed(report.criteria) ? 'all criteria pass' : 'NOT all criteria pass';
  return [
    `${report.name}  (${cores} × ${cpu}, Node ${node})`,
    '',
    ...columns(figures),
    '',
    ...columns(criteria),
    '',
    verdict,
  ].join('\n');
}
