import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChimeraError, invalidInput, type Problem } from '../contracts/errors.ts';
import type { JsonValue, TaskSubmission } from '../contracts/records.ts';
import { canonicalJson, sha256Hex } from '../core/canonical/canonical.ts';
import { parseLimited } from '../core/validation/json-limits.ts';
import type { BatchAccepted } from '../client/types.ts';
import type { BatchRecord, Stores } from '../stores/index.ts';
import { routingOf } from '../core/rollout/routing.ts';
import { ENVELOPE_BYTES, payloadProblems, type AdmittingType } from './admission.ts';
import { chunked, readLines, tooLarge, type Line } from './body.ts';
import { parse } from './parse.ts';
import { ProblemList } from './problems.ts';
import { batchLine } from './schemas.ts';

const CHUNK_LINES = 500;
const MAX_BATCH_BYTES = 4 * 2 ** 30;

export interface BatchAdmission {
  readonly stores: Stores;
  readonly project: string;
  readonly taskType: AdmittingType;
  /** Idempotency key of the batch. */
  readonly key: string;
  readonly stream: AsyncIterable<Uint8Array>;
}

interface Item extends Omit<TaskSubmission, 'taskType'> {
  key: string;
}

interface CheckedLine {
  readonly line: Line;
  readonly item: Item;
  /** The key was made here, from the batch's key. */
  readonly derived: boolean;
}

/**
 * Accepts a batch in two passes: every line is checked and kept in a file first, so that a bad last line leaves no
 * trace of the good ones; then chunks are admitted in order. A gateway that dies in the second pass leaves an open
 * batch that nothing runs, and the same request again completes it.
 * @throws {ChimeraError} CHIMERA_INVALID_INPUT that lists the problems of all lines, CHIMERA_CONFLICT
 */
export async function admitBatch(admission: BatchAdmission): Promise<BatchAccepted> {
  const folder = await mkdtemp(join(tmpdir(), 'chimera-batch-'));
  try {
    const spool = join(folder, 'lines');
    const { stores, project, key } = admission;
    const { type } = admission.taskType;
    const known = await stores.batches.byKey(project, key);
    if (known !== undefined && known.taskType !== type.name) throw conflict(key);
    const count = await checkLines(admission, spool, known !== undefined && known.state !== 'open');
    if (known !== undefined && known.state !== 'open') {
      if (known.count !== count) throw conflict(key);
      return accepted(known);
    }
    const batchId = batchIdOf(project, key);
    await stores.batches.open(project, type.name, batchId, key);
    return accepted(await admitLines(admission, spool, batchId));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Derived from the key, so that two callers with the same one work on the same batch. */
export function batchIdOf(project: string, key: string): string {
  return sha256Hex(canonicalJson([project, key])).slice(0, 32);
}

/** First pass. Returns the number of tasks. */
async function checkLines(admission: BatchAdmission, spool: string, mustExist: boolean): Promise<number> {
  const { stream } = admission;
  const { limits } = admission.taskType.type;
  const problems = new ProblemList();
  const keys = new Map<string, number>();
  const file = await open(spool, 'wx', 0o600);
  let bytes = 0;
  let count = 0;
  try {
    const lines = readLines(stream, limits.payloadBytes + ENVELOPE_BYTES);
    for await (const chunk of chunked(lines, CHUNK_LINES)) {
      const good: CheckedLine[] = [];
      for (const line of chunk) {
        const item = checkLine(admission, line, count, keys, problems);
        if (item !== undefined) good.push({ line, item, derived: item.key === derivedKey(admission.key, count) });
        count += 1;
      }
      await checkKeys(admission, good, mustExist, problems);
      // Once something is wrong the rest is read for its problems only.
      if (problems.count > 0) continue;
      const text = Buffer.concat(good.flatMap(({ line }) => [line.bytes!, NEWLINE]));
      bytes += text.length;
      if (bytes > MAX_BATCH_BYTES) throw tooLarge('the batch', bytes, MAX_BATCH_BYTES);
      await file.appendFile(text);
    }
  } finally {
    await file.close();
  }
  if (count === 0) problems.add({ path: '', message: 'the batch is empty' });
  if (problems.count > 0) throw invalidInput('the batch', problems.list());
  return count;
}

const NEWLINE = Buffer.from('\n');

function checkLine(
  { taskType, key }: BatchAdmission,
  line: Line,
  index: number,
  keys: Map<string, number>,
  problems: ProblemList,
): Item | undefined {
  const where = `line ${line.number}`;
  const add = (problem: Problem): void => problems.add({ ...problem, path: `${where}${problem.path}` });
  if (line.bytes === undefined) {
    add({ path: '', message: `longer than ${taskType.type.limits.payloadBytes + ENVELOPE_BYTES} bytes` });
    return undefined;
  }
  try {
    const item = parseItem(taskType, line.bytes, key, index);
    const found = payloadProblems(taskType, item.payload);
    for (const problem of found) add(problem);
    const before = keys.get(item.key);
    if (before !== undefined) add({ path: '/key', message: `is the key of line ${before} too` });
    keys.set(item.key, line.number);
    return found.length === 0 && before === undefined ? item : undefined;
  } catch (error) {
    if (!(error instanceof ChimeraError)) throw error;
    const inner = error.details.problems ?? [{ path: '', message: error.message }];
    for (const problem of inner) add(problem);
    return undefined;
  }
}

/** A line without a key gets one from the batch's key and its place: the same batch again asks for the same tasks. */
function parseItem({ type }: AdmittingType, bytes: Uint8Array, batchKey: string, index: number): Item {
  const { payloadBytes, payloadDepth } = type.limits;
  const value = parseLimited(bytes, {
    maxBytes: payloadBytes + ENVELOPE_BYTES,
    // The line's own braces.
    maxDepth: payloadDepth + 1,
    what: 'the line',
  });
  const { key, payload } = parse(batchLine, value, 'the line');
  return { key: key ?? derivedKey(batchKey, index), payload };
}

function derivedKey(batchKey: string, index: number): string {
  return `batch/${sha256Hex(batchKey).slice(0, 32)}/${index}`;
}

/** A key that is in use already must belong to the same task; in a batch that was accepted before, all must. */
async function checkKeys(
  { stores, project, taskType }: BatchAdmission,
  items: readonly CheckedLine[],
  mustExist: boolean,
  problems: ProblemList,
): Promise<void> {
  await Promise.all(
    items.map(async ({ line, item, derived }) => {
      if (!mustExist && derived) return;
      const task = await stores.tasks.byKey(project, item.key);
      const where = `line ${line.number}/key`;
      if (task === undefined) {
        if (mustExist) problems.add({ path: where, message: 'the batch was accepted without this task' });
      } else if (task.taskType !== taskType.type.name || !equal(task.payload, item.payload))
        problems.add({ path: where, message: 'is in use for a task with another body' });
    }),
  );
}

function equal(a: JsonValue, b: JsonValue): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** Second pass: the lines are good, only a race with another caller can still refuse one. */
async function admitLines(
  { stores, project, taskType, key }: BatchAdmission,
  spool: string,
  batchId: string,
): Promise<BatchRecord> {
  let count = 0;
  let first: number | undefined;
  let last: number | undefined;
  const lines = readLines(createReadStream(spool), Number.MAX_SAFE_INTEGER);
  for await (const chunk of chunked(lines, CHUNK_LINES)) {
    const items = chunk.map((line, i) => parseItem(taskType, line.bytes!, key, count + i));
    const acceptances = await stores.tasks.acceptMany(project, taskType.type.name, items, {
      batchId,
      route: routingOf,
    });
    for (const { task } of acceptances) {
      // A key of an earlier single task stays outside: the batch spans its own tasks.
      if (task.batchId !== batchId) continue;
      first = Math.min(first ?? task.ordinal, task.ordinal);
      last = Math.max(last ?? task.ordinal, task.ordinal);
    }
    count += chunk.length;
  }
  return stores.batches.close(project, batchId, count, first, last);
}

function accepted({ batchId, count, first, last }: BatchRecord): BatchAccepted {
  return {
    batchId,
    count,
    ...(first === undefined ? {} : { firstOrdinal: first }),
    ...(last === undefined ? {} : { lastOrdinal: last }),
  };
}

function conflict(key: string): ChimeraError {
  return new ChimeraError('CHIMERA_CONFLICT', { what: `batch ${key}` });
}
