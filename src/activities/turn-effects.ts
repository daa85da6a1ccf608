import { ChimeraError, isChimeraError } from '../contracts/errors.ts';
import { approvalIdOf, NOT_STARTED, type LongExecution } from '../contracts/executions.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { AgentManifest, JsonValue } from '../contracts/records.ts';
import { canonicalJson } from '../core/canonical/canonical.ts';
import { getAnswer, MEMORY_BYTES, parseMemoryRequest, putAnswer } from '../core/execution/memory.ts';
import { askRequest, readRequestAs, spawnOrder, spawnRequest, toolRequest } from '../core/execution/requests.ts';
import { effectAnswer, effectError } from '../core/execution/results.ts';
import type { EffectRequest, EffectResult } from '../core/execution/types.ts';
import type { EffectAnswer } from '../effects/answer.ts';
import { parseHttpRequest } from '../effects/http/request.ts';
import type { NewEffect, StoredEffect } from '../stores/index.ts';
import type { ActivityDeps } from './deps.ts';
import type { Wait } from './turn-types.ts';

/** A body of more bytes is an artifact. */
const INLINE_BYTES = 65_536;
/** World effects of one turn that are under way at once. */
const AT_ONCE = 8;
/** How many executions may hang above each other, each spawned by the one above. */
const MAX_DEPTH = 4;

/** Whose effects they are. */
export interface Asker {
  readonly execution: LongExecution;
  readonly manifest: AgentManifest;
  readonly turn: number;
  readonly signal: AbortSignal;
}

/** All effects of a turn, and which of them are answered already: by index, whether well. */
export interface TurnOfEffects {
  readonly asked: readonly EffectRequest[];
  readonly answered: ReadonlyMap<number, boolean>;
}

/** What became of an effect: recorded, or it is the workflow's to perform. */
export type Performed = { readonly effect: NewEffect } | { readonly wait: Wait };

/** Who answered an effect, and what it cost. */
export interface AnsweredBy {
  readonly answeredBy: string;
  readonly cost?: number;
  readonly tokens?: number;
}

type Deps = Pick<ActivityDeps, 'stores' | 'world'>;

const decoder = new TextDecoder();

/** An answer as it is recorded. */
export async function toRecord(
  { stores }: Pick<Deps, 'stores'>,
  turn: number,
  { index, kind, requestHash, request }: EffectRequest,
  { ok, body, scores }: EffectResult,
  by: AnsweredBy,
): Promise<NewEffect> {
  const stored = body.length <= INLINE_BYTES ? decoder.decode(body) : await stores.artifacts.put(body);
  const { answeredBy, cost = 0, tokens = 0 } = by;
  return { turn, index, kind, requestHash, request, ok, body: stored, scores: [...scores], answeredBy, cost, tokens };
}

/** A recorded effect as its agent is told. */
export async function toResult(
  { stores }: Pick<Deps, 'stores'>,
  { ok, body, scores }: Pick<StoredEffect, 'ok' | 'body' | 'scores'>,
): Promise<EffectResult> {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : await stores.artifacts.get(body);
  return { ok, body: bytes, scores: Float64Array.from(scores) };
}

/**
 * Performs what a turn asks for and nobody has recorded yet, as far as this worker can; the rest is the workflow's: to sleep, to ask
 * people, to wait for other tasks, to call tools of other workers. Memory and questions first and in order, for a turn may read
 * what it has just written, and people read from top to bottom; of the rest some at once.
 */
export async function performEffects(
  deps: Deps,
  asker: Asker,
  { asked, answered }: TurnOfEffects,
): Promise<Performed[]> {
  const effects = asked.filter(({ index }) => !answered.has(index));
  const spawns = readSpawns(asked);
  const performed = new Map<number, Performed>();
  const perform = async (effect: EffectRequest): Promise<void> => {
    const { index, kind, requestHash } = effect;
    // How many effects of this turn ask for the same before this one.
    const equals = asked.filter((e) => e.index < index && e.kind === kind && e.requestHash === requestHash).length;
    performed.set(index, await performOne(deps, asker, effect, { spawns, answered, equals }));
  };
  for (const effect of effects) if (isInOrder(effect)) await perform(effect);
  const others = effects.filter((effect) => !isInOrder(effect));
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < others.length) await perform(others[next++]!);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return effects.map(({ index }) => performed.get(index)!);
}

const isInOrder = ({ kind }: EffectRequest): boolean => kind === 'memory' || kind === 'ask-human';

async function performOne(
  deps: Deps,
  asker: Asker,
  effect: EffectRequest,
  around: { spawns: Spawns; answered: ReadonlyMap<number, boolean>; equals: number },
): Promise<Performed> {
  const { turn } = asker;
  const answered = async (result: EffectResult, by: AnsweredBy = { answeredBy: 'host' }): Promise<Performed> => ({
    effect: await toRecord(deps, turn, effect, result, by),
  });
  const reused = await fromParent(deps, asker, effect, around.equals);
  if (reused !== undefined) return { effect: reused };
  switch (effect.kind) {
    case 'memory':
      return answered(await useMemory(deps, asker, effect.request));
    case 'http':
      return answered(await callHttp(deps, asker, effect));
    case 'tool':
      return callTool(deps, asker, effect, answered);
    case 'ask-human':
      return ask(deps, asker, effect, answered);
    case 'spawn-task':
      return spawn(asker, effect, around, answered);
    case 'sleep':
      return { wait: { kind: 'sleep', index: effect.index, ms: (effect.request as { ms: number }).ms } };
    case 'infer':
    case 'embed':
      throw new ChimeraError('CHIMERA_INTERNAL', { why: `the sandbox left ${effect.kind} to the worker` });
  }
}

/** What a fork has in common with its parent is taken from there: the n-th of equal requests gets the n-th answer. */
async function fromParent(
  { stores }: Deps,
  { execution, turn }: Asker,
  { index, kind, requestHash, request }: EffectRequest,
  equals: number,
): Promise<NewEffect | undefined> {
  const { project, executionId, parent, fromTurn = 0 } = execution;
  if (parent === undefined || turn >= fromTurn || kind === 'memory') return undefined;
  const n = equals + (await stores.effects.count(project, executionId, { kind, requestHash, belowTurn: turn }));
  const found = await stores.effects.nth(project, parent, { kind, requestHash, n, belowTurn: fromTurn });
  if (found === undefined) return undefined;
  const { ok, body, scores } = found;
  return { turn, index, kind, requestHash, request, ok, body, scores, answeredBy: parent, cost: 0, tokens: 0 };
}

async function useMemory({ stores }: Deps, { execution }: Asker, value: JsonValue): Promise<EffectResult> {
  const request = parseMemoryRequest(value);
  if (!('op' in request)) return request;
  const { project, executionId } = execution;
  const { sha256 } = request;
  if (request.op === 'get') {
    return getAnswer(await stores.memoryBlocks.get(project, executionId, sha256), request.as);
  }
  const { bytes } = request;
  const kept = await stores.memoryBlocks.put(project, executionId, { sha256, bytes, limit: MEMORY_BYTES });
  return putAnswer(sha256, bytes.length, kept);
}

const idempotencyKey = ({ execution, turn }: Asker, index: number): string =>
  `${execution.project}/${execution.executionId}/${turn}/${index}`;

/** What a tool or a host answered, as the agent is told. */
export const resultOf = (answer: EffectAnswer): EffectResult =>
  answer.ok ? effectAnswer(answer.body) : effectError(answer.code, answer.message);

async function callHttp({ world }: Deps, asker: Asker, { index, request }: EffectRequest): Promise<EffectResult> {
  try {
    const parsed = parseHttpRequest(request);
    const { project } = asker.execution;
    const call = { idempotencyKey: idempotencyKey(asker, index), signal: asker.signal, project };
    const answer = await world.http(parsed, asker.manifest.http?.allow ?? [], call);
    failpoint('turns.performed');
    return resultOf(answer);
  } catch (error) {
    if (!isChimeraError(error, 'CHIMERA_INVALID_INPUT')) throw error;
    return effectError(error.code, error.message);
  }
}

async function callTool(
  { world: { tools } }: Deps,
  asker: Asker,
  { index, request }: EffectRequest,
  answered: (result: EffectResult, by?: AnsweredBy) => Promise<Performed>,
): Promise<Performed> {
  const call = readRequestAs(toolRequest, request);
  if ('ok' in call) return answered(call);
  const { tool: name, input } = call;
  if (!(asker.manifest.tools ?? []).includes(name)) {
    return answered(effectError('CHIMERA_FORBIDDEN', `the manifest names no tool ${name}`));
  }
  const problems = tools.check(name, input);
  if (problems.length > 0) {
    const message = problems.map(({ path, message }) => `${path || '/'}: ${message}`).join('; ');
    return answered(effectError('CHIMERA_INVALID_INPUT', message));
  }
  const tool = tools.get(name)!;
  const key = idempotencyKey(asker, index);
  if (tool.kind === 'activity') {
    if (canonicalJson(input).length > INLINE_BYTES) {
      return answered(effectError('CHIMERA_TOO_LARGE', `the input of a tool has at most ${INLINE_BYTES} characters`));
    }
    const { queue, activity, timeoutMs } = tool;
    return { wait: { kind: 'tool', index, tool: name, queue, activity, timeoutMs, input, idempotencyKey: key } };
  }
  const { project } = asker.execution;
  const answer = await tools.perform(name, input, { idempotencyKey: key, signal: asker.signal, project });
  failpoint('turns.performed');
  return answered(resultOf(answer), { answeredBy: name, cost: tool.price, tokens: tokensOf(answer) });
}

/** Tokens that a tool says it has used, spelled as language models spell it. */
export function tokensOf(answer: EffectAnswer): number {
  const body = answer.ok ? answer.body : null;
  const usage = typeof body === 'object' && body !== null && !Array.isArray(body) ? body['usage'] : undefined;
  const total = (usage as { total_tokens?: unknown } | null | undefined)?.total_tokens;
  return Number.isSafeInteger(total) && (total as number) > 0 ? (total as number) : 0;
}

async function ask(
  { stores }: Deps,
  { execution, turn }: Asker,
  effect: EffectRequest,
  answered: (result: EffectResult, by?: AnsweredBy) => Promise<Performed>,
): Promise<Performed> {
  const request = readRequestAs(askRequest, effect.request);
  if ('ok' in request) return answered(request);
  const { project, executionId, taskType } = execution;
  const { index } = effect;
  const { question, options, timeoutMs } = request;
  const approval = await stores.approvals.ask(project, {
    approvalId: approvalIdOf(executionId, turn, index),
    executionId,
    taskType,
    turn,
    index,
    question,
    ...(options === undefined ? {} : { options }),
    ...(timeoutMs === undefined ? {} : { deadline: new Date(Date.now() + timeoutMs).toISOString() }),
  });
  if (approval.answeredBy !== undefined) {
    const { answer, answeredBy } = approval;
    return answered(effectAnswer({ answer, by: answeredBy }), { answeredBy });
  }
  if (approval.deadline !== undefined && Date.parse(approval.deadline) <= Date.now()) {
    const late =
      request.default === undefined
        ? effectError('CHIMERA_WALL_DEADLINE', 'nobody has answered in time')
        : effectAnswer({ answer: request.default, by: null });
    return answered(late);
  }
  const { approvalId, deadline } = approval;
  return { wait: { kind: 'ask-human', index, approvalId, question, ...(deadline === undefined ? {} : { deadline }) } };
}

/** The spawned tasks of a turn: what each waits for; undefined where that cannot be. */
type Spawns = ReadonlyMap<number, readonly number[]> | undefined;

function readSpawns(asked: readonly EffectRequest[]): Spawns {
  const after = new Map<number, readonly number[]>();
  for (const { kind, index, request } of asked) {
    if (kind !== 'spawn-task') continue;
    const parsed = readRequestAs(spawnRequest, request);
    if (!('ok' in parsed)) after.set(index, parsed.after);
  }
  return spawnOrder(after) === undefined ? undefined : after;
}

async function spawn(
  { execution }: Asker,
  { index, request }: EffectRequest,
  { spawns, answered }: { spawns: Spawns; answered: ReadonlyMap<number, boolean> },
  answer: (result: EffectResult) => Promise<Performed>,
): Promise<Performed> {
  const parsed = readRequestAs(spawnRequest, request);
  if ('ok' in parsed) return answer(parsed);
  if (spawns === undefined) {
    const why = 'the tasks of this turn wait for each other in a circle, or for what is none of them';
    return answer(effectError('CHIMERA_INVALID_INPUT', why));
  }
  if (execution.depth >= MAX_DEPTH) {
    return answer(effectError('CHIMERA_FORBIDDEN', `tasks are spawned ${MAX_DEPTH} deep at most`));
  }
  if (parsed.after.some((other) => answered.get(other) === false))
    return answer(effectError(NOT_STARTED.code, NOT_STARTED.message));
  const after = parsed.after.filter((other) => !answered.has(other));
  return { wait: { kind: 'spawn-task', index, taskType: parsed.taskType, after } };
}
