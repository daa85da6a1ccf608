import { ChimeraError, invalidInput } from '../contracts/errors.ts';
import type { LongExecution } from '../contracts/executions.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { ExecutionFork } from '../contracts/inputs.ts';
import type { ExecutionRow, JsonValue } from '../contracts/records.ts';
import { effectAnswer, effectError } from '../core/execution/results.ts';
import type { EffectResult, KeptRecord } from '../core/execution/types.ts';
import type { Ending } from '../stores/index.ts';
import type { ActivityDeps } from './deps.ts';
import { taskResult, type TaskResult } from './task-outcome.ts';
import { heartbeating } from './heartbeat.ts';
import { resultOf, tokensOf, toRecord, type AnsweredBy } from './turn-effects.ts';
import { takeTurns, type Subject } from './turn-loop.ts';
import { openFork, subjectOf } from './turn-opening.ts';
import { readPosition } from './turn-position.ts';
import { runSpawned } from './turn-spawn.ts';
import type { Answer, Wait } from './turn-types.ts';

export interface OpenedExecution {
  executionId: string;
  taskType: string;
  startedAt: string;
  wallMs?: number;
}

export type TurnsTaken =
  | { state: 'more'; turn: number; fuel: number }
  | { state: 'waiting'; turn: number; fuel: number; waits: Wait[] }
  | { state: 'ended'; turn: number; fuel: number; result: TaskResult };

export interface TurnActivities {
  /** Where an execution stands that was opened before. */
  openExecution(input: { project: string; executionId: string }): Promise<OpenedExecution>;
  /** Opens a fork. The same fork of the same execution again is the same execution. */
  openFork(input: { project: string; fork: ExecutionFork; actor: string }): Promise<OpenedExecution>;
  /** Records the answers to what the last turn waits for, then takes turns until the agent waits, is done, or the slice is over. */
  takeTurns(input: {
    project: string;
    executionId: string;
    answers: Answer[];
    turns: number;
    sliceMs: number;
  }): Promise<TurnsTaken>;
  notePause(input: { project: string; executionId: string; paused: boolean; by: string }): Promise<void>;
  /** From now on it ends at the next effect that nobody has recorded. */
  endExecution(input: { project: string; executionId: string; ending: Ending; by: string }): Promise<void>;
  answerQuestion(input: {
    project: string;
    executionId: string;
    approvalId?: string;
    answer: JsonValue;
    by: string;
  }): Promise<{ approvalId: string }>;
  /** Accepts the task that an effect asks for, once, and waits until it is done. */
  runSpawnedTask(input: { project: string; executionId: string; index: number }): Promise<Answer>;
}

/** How long effects that are under way may go on when their activity is cancelled or its worker stops. */
const PATIENCE_MS = 3_000;

export function createTurnActivities(deps: ActivityDeps): TurnActivities {
  const { stores } = deps;

  return {
    async openExecution({ project, executionId }) {
      return opened(await stores.longExecutions.require(project, executionId));
    },

    async openFork({ project, fork, actor }) {
      return opened(await openFork(deps, project, fork, actor));
    },

    async takeTurns({ project, executionId, answers, turns, sliceMs }) {
      const execution = await stores.longExecutions.require(project, executionId);
      const subject = await subjectOf(deps, execution);
      if (execution.record !== undefined) return ended(deps, subject);
      await recordAnswers(deps, execution, answers);
      const end = await heartbeating(async (signal, note) => {
        const until = performance.now() + sliceMs;
        const impatient = new AbortController();
        let patience: NodeJS.Timeout | undefined;
        const leave = (): void => {
          patience = setTimeout(() => impatient.abort(signal.reason), PATIENCE_MS);
        };
        signal.addEventListener('abort', leave, { once: true });
        try {
          return await takeTurns(deps, subject, {
            turns,
            over: () => signal.aborted || performance.now() > until,
            signal: impatient.signal,
            note: (turn) => note({ turn }),
          });
        } finally {
          signal.removeEventListener('abort', leave);
          clearTimeout(patience);
        }
      });
      switch (end.at) {
        case 'turn':
          return { state: 'more', turn: end.turn, fuel: end.fuel };
        case 'waits':
          return { state: 'waiting', turn: end.turn, fuel: end.fuel, waits: [...end.waits] };
        case 'end':
          return ended(deps, { ...subject, execution: await stores.longExecutions.require(project, executionId) });
      }
    },

    async notePause({ project, executionId, paused, by }) {
      const [state, type] = paused
        ? (['paused', 'execution.paused'] as const)
        : (['running', 'execution.resumed'] as const);
      const audit = { type, actor: by, subject: executionId, details: {} };
      await stores.longExecutions.setState(project, executionId, state, audit);
    },

    async endExecution({ project, executionId, ending, by }) {
      const details = { code: ending.code, message: ending.message };
      const audit = { type: 'execution.ending', actor: by, subject: executionId, details };
      await stores.longExecutions.setEnding(project, executionId, ending, audit);
    },

    async answerQuestion({ project, executionId, approvalId, answer, by }) {
      const open = await stores.approvals.list(project, { executionId });
      const asked = approvalId ?? (open.length === 1 ? open[0]!.approvalId : undefined);
      if (asked === undefined) {
        const known = open.map((question) => `${question.approvalId} (${question.question})`).join(', ');
        const message = open.length === 0 ? 'no question is open' : `say which one: ${known}`;
        throw invalidInput('the answer', [{ path: '/approvalId', message }]);
      }
      await stores.approvals.answer(project, asked, answer, by);
      return { approvalId: asked };
    },

    async runSpawnedTask({ project, executionId, index }) {
      return heartbeating((signal) => runSpawned(stores, { project, executionId, index }, signal));
    },
  };
}

function opened(execution: LongExecution): OpenedExecution {
  const { executionId, taskType, startedAt, config } = execution;
  const { wallMs } = config.budget;
  return { executionId, taskType, startedAt, ...(wallMs === undefined ? {} : { wallMs }) };
}

/** An execution that is done: its row among the executions of the stream, unless it is a fork, and what it came to. */
async function ended(deps: ActivityDeps, { execution, prepared }: Subject): Promise<TurnsTaken> {
  const { project, taskId, taskType, ordinal, agentVersion, parent, recordHash } = execution;
  const record = execution.record as unknown as KeptRecord;
  const { status, output, reason, fuel, modelCalls, memoryBytes, turns } = record;
  const row: ExecutionRow = {
    ...{ taskId, ordinal, agentVersion, role: 'served', status, fuel, modelCalls, memoryBytes, turns },
    ...(output === undefined ? {} : { output }),
    ...(reason === undefined ? {} : { reason }),
    recordHash: recordHash!,
    features: [...prepared.features],
  };
  if (parent === undefined) {
    await deps.stores.executions.putMany(project, taskType, [row]);
    failpoint('turns.stored');
  }
  return { state: 'ended', turn: turns, fuel, result: taskResult(row) };
}

async function recordAnswers(deps: ActivityDeps, execution: LongExecution, answers: readonly Answer[]): Promise<void> {
  if (answers.length === 0) return;
  const { project, executionId } = execution;
  const { position } = await deps.stores.longExecutions.position(project, executionId);
  if (position === undefined) throw new ChimeraError('CHIMERA_INTERNAL', { why: `${executionId} waits for nothing` });
  const { checkpoint, asked } = readPosition(position);
  const effects = await Promise.all(
    answers.map((answer) => {
      const effect = asked.find(({ index }) => index === answer.index)!;
      const { result, ...by } = judged(deps, answer);
      return toRecord(deps, checkpoint.turn - 1, effect, result, by);
    }),
  );
  await deps.stores.effects.record(project, executionId, effects);
}

function judged({ world: { tools } }: ActivityDeps, answer: Answer): AnsweredBy & { result: EffectResult } {
  switch (answer.of) {
    case 'sleep':
      return { result: effectAnswer({}), answeredBy: 'host' };
    case 'failure':
      return { result: effectError(answer.code, answer.message), answeredBy: 'host' };
    case 'spawn-task': {
      const { ok, body } = answer;
      return { result: { ...effectAnswer(body), ok }, answeredBy: 'host' };
    }
    case 'tool': {
      const accepted = tools.accept(answer.tool, answer.output);
      const cost = tools.get(answer.tool)?.price ?? 0;
      return { result: resultOf(accepted), answeredBy: answer.tool, cost, tokens: tokensOf(accepted) };
    }
  }
}
