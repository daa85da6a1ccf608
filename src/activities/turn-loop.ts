import { ChimeraError } from '../contracts/errors.ts';
import type { LongExecution } from '../contracts/executions.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { JsonObject } from '../contracts/records.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import { spentBudget } from '../core/execution/budget.ts';
import { endedEarly, keptRecord } from '../core/execution/driver.ts';
import { effectError } from '../core/execution/results.ts';
import type { EffectResult, ExecutionRecord, Resumption, Suspension } from '../core/execution/types.ts';
import { PRICE_VERSION, type AgentRef, type PreparedInput, type TaskTypeRef } from '../fabric/index.ts';
import type { Ending, NewEffect, StoredEffect } from '../stores/index.ts';
import type { ActivityDeps } from './deps.ts';
import { performEffects, toRecord, toResult, type Performed } from './turn-effects.ts';
import { readPosition, writePosition } from './turn-position.ts';
import type { Wait } from './turn-types.ts';

type Deps = Pick<ActivityDeps, 'stores' | 'fabric' | 'world'>;

/** A long execution with all that its steps need. */
export interface Subject {
  readonly execution: LongExecution;
  readonly agent: AgentRef;
  readonly taskType: TaskTypeRef;
  readonly prepared: PreparedInput;
}

export interface Slice {
  /** Turns to take at most. */
  readonly turns: number;
  /** Is it time to leave? Asked between turns. */
  readonly over: () => boolean;
  /** Ends effects that are under way. */
  readonly signal: AbortSignal;
  readonly note: (turn: number) => void;
}

/** Where a slice of an execution ended. */
export type SliceEnd =
  | { readonly at: 'turn'; readonly turn: number; readonly fuel: number }
  | { readonly at: 'waits'; readonly turn: number; readonly fuel: number; readonly waits: readonly Wait[] }
  /** The record is stored. */
  | { readonly at: 'end' };

/**
 * Takes turns of a long execution. What an effect came to is recorded before the agent is told, and what is recorded is never
 * performed again: wherever this dies, the next one replays the steps since the last stored position on the recorded
 * answers and goes on. Agents are pure, so it is the same execution.
 */
export async function takeTurns(deps: Deps, subject: Subject, slice: Slice): Promise<SliceEnd> {
  const { project, executionId } = subject.execution;
  const stored = await deps.stores.longExecutions.position(project, executionId);
  const journal = await openJournal(deps, subject.execution, stored.position?.turn ?? 0);
  const run: Run = { deps, subject, slice, journal, ending: stored.ending, paused: false, spent: { ...stored.spent } };
  let suspended = stored.position === undefined ? undefined : readPosition(stored.position);
  let from: Resumption | undefined;
  for (let taken = 0; ; taken++) {
    if (suspended !== undefined) {
      if (taken >= slice.turns || run.paused || slice.over()) {
        await deps.stores.longExecutions.savePosition(project, executionId, writePosition(suspended));
        return { at: 'turn', turn: suspended.checkpoint.turn, fuel: suspended.checkpoint.fuel };
      }
      const answered = await answer(run, suspended);
      if ('at' in answered) return answered;
      from = answered;
    }
    const { agent, taskType, prepared, execution } = subject;
    const needsPayload = from === undefined || Object.keys(agent.manifest.models).length > 0;
    const result = await deps.fabric.advance({
      agent,
      taskType,
      seed: BigInt(execution.config.seed),
      prepared: needsPayload ? prepared : NOTHING,
      ...(from === undefined ? {} : { from }),
    });
    failpoint('turns.stepped');
    if ('record' in result) return conclude(run, result.record);
    suspended = result.suspension;
    slice.note(suspended.checkpoint.turn);
  }
}

const NOTHING: PreparedInput = { payload: {}, features: new Float64Array(0) };

interface Run {
  readonly deps: Deps;
  readonly subject: Subject;
  readonly slice: Slice;
  readonly journal: Journal;
  ending: Ending | undefined;
  paused: boolean;
  readonly spent: { money: number; tokens: number };
}

/** The recorded effects by turn, from the stored position on. */
type Journal = Map<number, Map<number, StoredEffect>>;

async function openJournal({ stores }: Deps, execution: LongExecution, turn: number): Promise<Journal> {
  const { project, executionId } = execution;
  const journal: Journal = new Map();
  for (const effect of await stores.effects.from(project, executionId, Math.max(0, turn - 1))) {
    const ofTurn = journal.get(effect.turn) ?? new Map<number, StoredEffect>();
    journal.set(effect.turn, ofTurn.set(effect.index, effect));
  }
  return journal;
}

/** Answers to everything that a turn asks for; or why there are none yet. */
async function answer(run: Run, suspended: Suspension): Promise<Resumption | SliceEnd> {
  const { deps, subject } = run;
  const { asked, answers, checkpoint } = suspended;
  const turn = checkpoint.turn - 1;
  const recorded = run.journal.get(turn) ?? new Map<number, StoredEffect>();
  const known = new Map<number, EffectResult>();
  for (const [position, effect] of asked.entries()) {
    const result = answers[position] ?? (await fromJournal(deps, recorded.get(effect.index), effect.requestHash));
    if (result !== undefined) known.set(effect.index, result);
  }
  if (known.size < asked.length) {
    // It was told to conclude and asks for more, or somebody has cancelled it.
    if (run.ending !== undefined) return conclude(run, endedEarly(checkpoint, run.ending, PRICE_VERSION));
    const performed = await perform(run, suspended, known);
    for (const effect of await record(run, turn, performed)) known.set(effect.index, await toResult(deps, effect));
    const waits = performed.flatMap((one) => ('wait' in one ? [one.wait] : []));
    if (waits.length > 0) {
      const { project, executionId } = subject.execution;
      await deps.stores.longExecutions.savePosition(project, executionId, writePosition(suspended));
      return { at: 'waits', turn: checkpoint.turn, fuel: checkpoint.fuel, waits };
    }
  }
  return { checkpoint, asked, answers: asked.map(({ index }) => known.get(index)!) };
}

async function fromJournal(
  deps: Deps,
  effect: StoredEffect | undefined,
  requestHash: string,
): Promise<EffectResult | undefined> {
  if (effect === undefined) return undefined;
  if (effect.requestHash !== requestHash) {
    const why = `an agent asked for another effect than before in turn ${effect.turn}`;
    throw new ChimeraError('CHIMERA_INTERNAL', { why });
  }
  return toResult(deps, effect);
}

async function perform(
  run: Run,
  { asked, checkpoint }: Suspension,
  known: ReadonlyMap<number, EffectResult>,
): Promise<Performed[]> {
  const { deps, subject, slice } = run;
  const { execution, agent } = subject;
  const turn = checkpoint.turn - 1;
  const budget = spentBudget(execution.config.budget, {
    turns: checkpoint.turn,
    fuel: checkpoint.fuel,
    tokens: run.spent.tokens,
    money: run.spent.money,
    wallMs: Date.now() - Date.parse(execution.startedAt),
  });
  if (budget === undefined) {
    const answered = new Map([...known].map(([index, { ok }]) => [index, ok]));
    const asker = { execution, manifest: agent.manifest, turn, signal: slice.signal };
    return performEffects(deps, asker, { asked, answered });
  }
  run.ending = { code: 'budget-exhausted', message: `the budget is spent: ${budget}` };
  const refused = effectError('CHIMERA_BUDGET_SPENT', `the budget of the execution is spent: ${budget}`);
  const unanswered = asked.filter(({ index }) => !known.has(index));
  return Promise.all(
    unanswered.map(async (effect) => ({
      effect: await toRecord(deps, turn, effect, refused, { answeredBy: 'host' }),
    })),
  );
}

/** Records what was performed; the answer is what holds: where another attempt was first, what that one has recorded. */
async function record(
  run: Run,
  turn: number,
  performed: readonly Performed[],
): Promise<readonly Omit<StoredEffect, 'performedAt'>[]> {
  const { deps, subject, spent, ending } = run;
  const { project, executionId } = subject.execution;
  const effects = performed.flatMap((one): NewEffect[] => ('effect' in one ? [one.effect] : []));
  if (effects.length === 0) return effects;
  const wanted = await deps.stores.effects.record(project, executionId, effects, ending);
  run.ending ??= wanted.ending;
  run.paused = wanted.paused;
  for (const { cost, tokens } of effects) {
    spent.money += cost;
    spent.tokens += tokens;
  }
  if (wanted.recorded === effects.length) return effects;
  const asked = new Set(effects.map(({ index }) => index));
  const stored = await deps.stores.effects.from(project, executionId, turn);
  return stored.filter((effect) => effect.turn === turn && asked.has(effect.index));
}

/** The record as it is kept: what an agent says after its budget was spent is a partial result, not a success. */
async function conclude(run: Run, concluded: ExecutionRecord): Promise<SliceEnd> {
  const { ending, deps, subject } = run;
  const record: ExecutionRecord =
    ending === undefined || concluded.status === 'failed'
      ? concluded
      : { ...concluded, status: 'failed', reason: ending };
  await finish(deps, subject, record);
  return { at: 'end' };
}

async function finish({ stores }: Deps, { execution }: Subject, record: ExecutionRecord): Promise<void> {
  const { project, executionId, agentVersion, parent } = execution;
  const effects = (await stores.effects.totals(project, executionId)) as JsonObject;
  const kept = keptRecord(record);
  const recordHash = hashOf(kept);
  const { status, fuel, turns, reason, transcript } = kept;
  await stores.longExecutions.finish(
    project,
    executionId,
    { state: status, record: kept as unknown as JsonObject, recordHash, turn: turns, fuel },
    {
      type: 'execution.ended',
      actor: 'chimera',
      subject: executionId,
      details: {
        ...{ status, agentVersion, turns, fuel, effects, recordHash, transcript: transcript.hash },
        ...(reason === undefined ? {} : { reason: reason.code }),
        ...(parent === undefined ? {} : { parent }),
      },
    },
  );
}
