import type { JsonValue } from '../../contracts/records.ts';
import { hashOf, sha256Hex } from '../canonical/canonical.ts';
import { parseLimited } from '../validation/json-limits.ts';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { effectError, hashOfResult } from './results.ts';
import { addTo, NOTHING_YET } from './transcript.ts';
import type {
  Checkpoint,
  EffectAnswers,
  EffectRequest,
  EffectResult,
  EffectTrace,
  Execution,
  ExecutionRecord,
  FailureCode,
  KeptRecord,
  RawEffect,
  Resumption,
  ResultsBody,
  StartBody,
  StepResult,
  Suspension,
  Transcript,
} from './types.ts';

const EMPTY = new Uint8Array(0);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const MAX_TIME = 0x10000000000;
/** How deep an agent's JSON may nest. Where a parser gives up depends on the machine's stack; this does not. */
const MAX_NESTING = 64;

/**
 * The one driver: runs an execution turn by turn until it is done. Every path (single task, bulk, evaluation, long executions)
 * uses it; they differ in the engine and the effect handler that they pass. It waits only where engine or handler answer with
 * a promise, so that a synchronous execution costs no promise per step: then the record comes back as it is.
 * Faults that are not the agent's own are thrown by engine or handler and pass through. For handlers that perform whatever
 * they are asked for; a `RangeError` where one does not.
 */
export function drive(execution: Execution): ExecutionRecord | Promise<ExecutionRecord> {
  const concluded = (end: ExecutionRecord | Suspension): ExecutionRecord => {
    if (!isSuspension(end)) return end;
    throw new RangeError(`an effect of turn ${end.checkpoint.turn - 1} was not performed`);
  };
  const end = advance(execution);
  return end instanceof Promise ? end.then(concluded) : concluded(end);
}

/**
 * Like {@link drive}, from the start or from where the execution was left, until it is done or waits for effects that its
 * handler leaves to others. However often it is left and resumed, the record is the same.
 */
export function advance(
  execution: Execution,
  from?: Resumption,
): ExecutionRecord | Suspension | Promise<ExecutionRecord | Suspension> {
  const turns = run(execution, from);
  const next = turns.next();
  return next.done === true ? next.value : settle(turns, next.value);
}

/** Does the execution wait for effects? */
export function isSuspension(end: ExecutionRecord | Suspension): end is Suspension {
  return 'checkpoint' in end;
}

async function settle(turns: Turns, first: PromiseLike<unknown>): Promise<ExecutionRecord | Suspension> {
  let waiting = first;
  for (;;) {
    const next = turns.next(await waiting);
    if (next.done === true) return next.value;
    waiting = next.value;
  }
}

type Turns = Generator<PromiseLike<unknown>, ExecutionRecord | Suspension, unknown>;

function* resolved<T extends object>(value: T | PromiseLike<T>): Generator<PromiseLike<unknown>, T, unknown> {
  return 'then' in value ? ((yield value) as T) : value;
}

/** How far an execution has come. */
interface Progress {
  state: Uint8Array;
  turn: number;
  time: number;
  fuel: number;
  memoryBytes: number;
  modelCalls: number;
  logBytes: number;
  readonly transcript: Transcript;
  /** Since `transcript`. */
  readonly effects: EffectTrace[];
  readonly log: string[];
}

const BEGINNING: Checkpoint = {
  state: EMPTY,
  turn: 0,
  time: 0,
  fuel: 0,
  memoryBytes: 0,
  modelCalls: 0,
  log: [],
  transcript: NOTHING_YET,
};

function progressFrom(checkpoint: Checkpoint): Progress {
  const log = [...checkpoint.log];
  return { ...checkpoint, log, logBytes: log.reduce((sum, line) => sum + utf8ToBytes(line).length, 0), effects: [] };
}

function checkpointOf({ logBytes: _, effects, transcript, ...progress }: Progress): Checkpoint {
  return { ...progress, transcript: addTo(transcript, effects) };
}

function* run(execution: Execution, from: Resumption | undefined): Turns {
  const { engine, limits, seed } = execution;
  const progress = progressFrom(from?.checkpoint ?? BEGINNING);
  const failed = (code: FailureCode, message: string): ExecutionRecord =>
    finish(execution.priceVersion, progress, { status: 'failed', reason: { code, message } });
  let body: StartBody | ResultsBody =
    from === undefined
      ? { kind: 'start', ...execution.input }
      : { kind: 'results', results: noted(progress, from.asked, from.answers) };
  for (;;) {
    if (progress.turn === limits.turns) return failed('too-many-turns', `not done after ${limits.turns} turns`);
    const event = { turn: progress.turn, seed, time: progress.time, body };
    const step = yield* resolved(engine.step(progress.state, event, limits.fuel - progress.fuel));
    progress.turn++;
    progress.fuel = Math.min(limits.fuel, progress.fuel + step.fuel);
    progress.memoryBytes = Math.max(progress.memoryBytes, step.memoryBytes);
    if (!step.ok) return failed(step.trap, step.message);
    const logged = appendLog(progress, step, limits.logBytes);
    if (!logged) return failed('log-too-large', `more than ${limits.logBytes} bytes of log`);
    progress.state = step.state;
    switch (step.outcome.kind) {
      case 'done':
        return conclude(execution, progress, step.outcome.output);
      case 'fail':
        return failed('agent-failed', step.outcome.reason);
      case 'effects': {
        const asked = readRequests(step.outcome.effects);
        if (typeof asked === 'string') return failed('bad-outcome', asked);
        const answers = yield* perform(execution, progress, asked);
        if (!areComplete(answers)) return { checkpoint: checkpointOf(progress), asked, answers };
        body = { kind: 'results', results: noted(progress, asked, answers) };
      }
    }
  }
}

const areComplete = (answers: EffectAnswers): answers is readonly EffectResult[] => !answers.includes(undefined);

/** Keeps the lines of a step within the budget of the whole execution. */
function appendLog(progress: Progress, step: StepResult & { ok: true }, limit: number): boolean {
  for (const line of step.log) {
    progress.logBytes += utf8ToBytes(line).length;
    if (progress.logBytes > limit) return false;
    progress.log.push(line);
  }
  return true;
}

function readRequests(effects: readonly RawEffect[]): EffectRequest[] | string {
  const requests: EffectRequest[] = [];
  for (const [index, { kind, request }] of effects.entries()) {
    const parsed = readRequest(request);
    if (parsed === undefined) return `the request of effect ${index} is not JSON`;
    requests.push({ index, kind, ...parsed });
  }
  return requests;
}

interface Request {
  request: JsonValue;
  requestHash: string;
}

/** Requests repeat by the thousand in an evaluation: parsing and hashing one is a function of its text. */
const requests = new Map<string, Request>();

function readRequest(bytes: Uint8Array): Request | undefined {
  try {
    const text = utf8.decode(bytes);
    const known = requests.get(text);
    if (known !== undefined) return known;
    const request = readJson(bytes);
    if (request === undefined) return undefined;
    const read = { request, requestHash: hashOf(request) };
    if (text.length <= 256) {
      if (requests.size >= 4096) requests.clear();
      requests.set(text, read);
    }
    return read;
  } catch {
    return undefined;
  }
}

/**
 * The JSON that an agent wrote, or undefined where it is none that could be hashed and stored on every machine. What exactly
 * is wrong with it is not said: a parser's words change with its version, and a record's hash must not.
 */
function readJson(bytes: Uint8Array): JsonValue | undefined {
  try {
    return parseLimited(bytes, { maxBytes: bytes.length, maxDepth: MAX_NESTING });
  } catch {
    return undefined;
  }
}

function* perform(
  execution: Execution,
  progress: Progress,
  asked: readonly EffectRequest[],
): Generator<PromiseLike<unknown>, EffectAnswers, unknown> {
  const refusals = asked.map((effect) => refusal(execution, effect));
  const allowed = asked.filter((_, position) => refusals[position] === undefined);
  const answers = allowed.length === 0 ? [] : yield* resolved(execution.effects.perform(allowed, progress.turn - 1));
  if (answers.length !== allowed.length) {
    throw new RangeError(`the effect handler answered ${answers.length} of ${allowed.length} effects`);
  }
  let next = 0;
  return asked.map((_, position) => refusals[position] ?? answers[next++]);
}

/** Takes the answers to a turn's effects down. */
function noted(
  progress: Progress,
  asked: readonly EffectRequest[],
  answers: readonly EffectResult[],
): readonly EffectResult[] {
  const turn = progress.turn - 1;
  asked.forEach((effect, position) => {
    const { index, kind, requestHash } = effect;
    const result = answers[position]!;
    progress.effects.push({ turn, index, kind, requestHash, resultHash: hashOfResult(result), ok: result.ok });
    if (result.ok && (kind === 'infer' || kind === 'embed')) progress.modelCalls++;
    if (result.ok && kind === 'sleep') progress.time = Math.min(MAX_TIME, progress.time + sleepMs(effect)!);
  });
  return answers;
}

const FORBIDDEN = new Map<string, EffectResult>();

function refusal(execution: Execution, effect: EffectRequest): EffectResult | undefined {
  if (!execution.capabilities.includes(effect.kind)) {
    const known = FORBIDDEN.get(effect.kind) ?? effectError('CHIMERA_FORBIDDEN', `no capability ${effect.kind}`);
    FORBIDDEN.set(effect.kind, known);
    return known;
  }
  if (effect.kind === 'sleep' && sleepMs(effect) === undefined) {
    return effectError('CHIMERA_INVALID_INPUT', 'sleep wants {"ms": a non-negative integer}');
  }
  return undefined;
}

function sleepMs(effect: EffectRequest): number | undefined {
  const request = effect.request as { ms?: unknown } | null;
  const ms = typeof request === 'object' ? request?.ms : undefined;
  return Number.isSafeInteger(ms) && (ms as number) >= 0 ? (ms as number) : undefined;
}

function conclude(execution: Execution, progress: Progress, bytes: Uint8Array): ExecutionRecord {
  const bad = (message: string): ExecutionRecord =>
    finish(execution.priceVersion, progress, { status: 'failed', reason: { code: 'bad-output', message } });
  const output = readJson(bytes);
  if (output === undefined) {
    return bad(`the output is not JSON in UTF-8, nests deeper than ${MAX_NESTING} or has a number beyond doubles`);
  }
  const problems = execution.validateOutput?.(output) ?? [];
  if (problems.length === 0) return finish(execution.priceVersion, progress, { status: 'completed', output });
  return bad(problems.map(({ path, message }) => `${path || '/'}: ${message}`).join('; '));
}

function finish(
  priceVersion: number,
  progress: Progress,
  verdict: Pick<ExecutionRecord, 'status' | 'output' | 'reason'>,
): ExecutionRecord {
  const { fuel, memoryBytes, turn, modelCalls, transcript, effects, log } = progress;
  const { output, reason, status } = verdict;
  // In the order of canonical JSON, in which it is hashed: nothing has to be sorted then.
  return {
    ...{ effects, fuel, log, memoryBytes, modelCalls },
    ...(output === undefined ? {} : { output }),
    priceVersion,
    ...(reason === undefined ? {} : { reason }),
    ...{ status, transcript, turns: turn },
  };
}

/** The record of an execution that is ended from outside where it stands. `output`: what it had to say by then. */
export function endedEarly(
  checkpoint: Checkpoint,
  reason: { code: FailureCode; message: string },
  priceVersion: number,
  output?: JsonValue,
): ExecutionRecord {
  const verdict = { status: 'failed' as const, reason, ...(output === undefined ? {} : { output }) };
  return finish(priceVersion, progressFrom(checkpoint), verdict);
}

/** A record as it is kept: of the effects only their transcript, so that it is the same wherever it was left and resumed. */
export function keptRecord({ effects, ...record }: ExecutionRecord): KeptRecord {
  return { ...record, transcript: addTo(record.transcript, effects) };
}

/** The name of a record. Equal records on two paths, machines or attempts have equal names. */
export function recordHash(record: ExecutionRecord): string {
  return hashOf(keptRecord(record));
}

/** A seed of 64 bits from any text: its SHA-256, first eight bytes. */
export function seedOf(text: string): bigint {
  return BigInt(`0x${sha256Hex(text).slice(0, 16)}`);
}
