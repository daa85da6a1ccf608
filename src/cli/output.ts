import { ChimeraError, ERRORS, renderMessage, type Problem } from '../contracts/errors.ts';
import { ChimeraApiError } from '../client/index.ts';
import { actionOf } from '../gateway/answers.ts';
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.ts';
import { fileProblem } from './file-errors.ts';

/** Where a command writes; tests put strings there. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => unknown;
  /** Numbers are aligned to the right. */
  readonly numeric?: boolean;
}

/** A table as people read it: aligned columns, a title line, no frames. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  if (rows.length === 0) return 'none';
  const cells = [columns.map((c) => c.title), ...rows.map((row) => columns.map((c) => cell(c.value(row))))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  return cells
    .map((line) =>
      line
        .map((text, i) => (columns[i]!.numeric ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `name  value` lines; entries without a value are left out. */
export function fields(entries: readonly (readonly [string, unknown])[]): string {
  const shown = entries.filter(([, value]) => value !== undefined && value !== null);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${cell(value)}`).join('\n');
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '-';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | boolean);
}

/** Short form of a content hash, long enough to be unique by eye. */
export function short(hash: string | undefined): string | undefined {
  return hash?.slice(0, 12);
}

export interface ErrorReport {
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly message: string;
  readonly problems: readonly Problem[];
  readonly action?: string;
  readonly requestId?: string;
}

/** What an error says to the person at the terminal. */
export function describeError(error: unknown): ErrorReport {
  if (error instanceof ChimeraApiError) {
    const { code, message, problems, action, requestId } = error;
    const exitCode = exitCodeOf(code);
    return { exitCode, code, message, problems, action, ...(requestId === undefined ? {} : { requestId }) };
  }
  if (error instanceof ChimeraError) {
    const { code, details } = error;
    const message = renderMessage(code, { ...details, problems: [] });
    return { exitCode: exitCodeOf(code), code, message, problems: details.problems ?? [], action: actionOf(error) };
  }
  const { code } = error as NodeJS.ErrnoException;
  const file = fileProblem(error);
  if (file !== undefined && code !== undefined) return { exitCode: EXIT.usage, code, message: file, problems: [] };
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'ECONNREFUSED')
    return {
      exitCode: EXIT.unreachable,
      code: 'CHIMERA_UNREACHABLE',
      message: message || 'connection refused',
      problems: [],
      action: ERRORS.CHIMERA_UNREACHABLE.action,
    };
  return {
    exitCode: EXIT.failed,
    code: 'CHIMERA_INTERNAL',
    message,
    problems: [],
    action: 'Run it again with --debug to see where it happened.',
  };
}

/** Prints an error: what, every problem, what to do. The stack only where `debug` asks for it. */
export function printError(io: Io, error: unknown, { json, debug }: { json: boolean; debug: boolean }): ExitCode {
  const { exitCode, ...report } = describeError(error);
  if (json) io.err(`${JSON.stringify({ error: report })}\n`);
  else {
    io.err(`error: ${report.message}\n`);
    for (const { path, message } of report.problems) io.err(`  ${path || '/'}: ${message}\n`);
    if (report.action !== undefined) io.err(`${report.action}\n`);
    if (report.requestId !== undefined) io.err(`request ${report.requestId}, code ${report.code}\n`);
  }
  if (debug && error instanceof Error) io.err(`${error.stack ?? ''}\n`);
  return exitCode;
}
