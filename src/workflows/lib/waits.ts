import { CancellationScope, condition, isCancellation, proxyActivities, sleep } from '@temporalio/workflow';
import { NOT_STARTED } from '../../contracts/executions.ts';
import type { JsonValue } from '../../contracts/records.ts';
import type { Answer, Wait } from '../../activities/turn-types.ts';
import { foreignTool, waiting } from '../options.ts';
import { activities } from './activities.ts';
import { rootCause } from './failures.ts';

export interface WaitsOptions {
  readonly project: string;
  readonly executionId: string;
  /** How soon to look for an answer whose news got lost; ever more seldom. */
  readonly pollMs: number;
  /** When the execution's wall budget is spent, in ms since the epoch. */
  readonly endsAt?: number;
}

/** What a turn waits for: begun once each, and taken when it is there. */
export interface Waits {
  /** Begins what is not under way yet. The answer says in words what is waited for. */
  begin(waits: readonly Wait[]): string[];
  /** Returns when something was answered, when it is time to look, or when `enough` says so. */
  any(enough: () => boolean): Promise<void>;
  /** Somebody has answered: look. */
  look(): void;
  /** The answers that are there. They stay until they are {@link told}. */
  taken(): Answer[];
  told(answers: readonly Answer[]): void;
  /** The turn is over: what is still under way is given up. */
  clear(): void;
  /** Would something be lost if this run ended here? Questions lie in the store. */
  readonly underWay: boolean;
}

const LONGEST_POLL_MS = 3_600_000;

export function createWaits({ project, executionId, pollMs, endsAt }: WaitsOptions): Waits {
  /** By index; undefined where the worker finds the answer itself. */
  const begun = new Map<number, Promise<Answer> | undefined>();
  const answers = new Map<number, Answer>();
  let scope = new CancellationScope();
  let deadlines: number[] = [];
  let news = false;
  let poll = pollMs;

  const spawn = async ({ index, taskType, after }: Wait & { kind: 'spawn-task' }): Promise<Answer> => {
    // Those that it waits for may be begun after it.
    await Promise.resolve();
    for (const other of after) {
      const answer = await begun.get(other);
      if (answer?.of !== 'spawn-task') return { index, of: 'failure', ...NOT_STARTED };
    }
    return activities(waiting(`a task of ${taskType}`)).runSpawnedTask({ project, executionId, index });
  };

  const start = async (wait: Exclude<Wait, { kind: 'ask-human' }>): Promise<Answer> => {
    const { index } = wait;
    try {
      switch (wait.kind) {
        case 'sleep':
          await sleep(Math.max(1, wait.ms));
          return { index, of: 'sleep' };
        case 'tool':
          return { index, of: 'tool', tool: wait.tool, output: await callTool(wait, project) };
        case 'spawn-task':
          return await spawn(wait);
      }
    } catch (error) {
      if (isCancellation(error)) throw error;
      return { index, of: 'failure', ...rootCause(error) };
    }
  };

  return {
    begin(waits) {
      for (const wait of waits) {
        if (begun.has(wait.index)) continue;
        const answer = wait.kind === 'ask-human' ? undefined : scope.run(() => start(wait));
        begun.set(wait.index, answer);
        answer?.then(
          (known) => answers.set(wait.index, known),
          () => undefined, // given up
        );
      }
      deadlines = waits.flatMap((wait) =>
        wait.kind === 'ask-human' && wait.deadline !== undefined ? [Date.parse(wait.deadline)] : [],
      );
      return waits.map(inWords);
    },

    async any(enough) {
      const soonest = Math.min(...deadlines, endsAt ?? Infinity) - Date.now();
      const asksPeople = [...begun.values()].includes(undefined);
      const wake = Math.max(1, Math.min(asksPeople ? poll : Infinity, soonest));
      const ready = (): boolean => news || answers.size > 0 || enough();
      if (wake === Infinity) await condition(ready);
      else await condition(ready, wake);
      poll = news ? pollMs : Math.min(poll * 2, LONGEST_POLL_MS);
      news = false;
    },

    look() {
      news = true;
    },

    taken: () => [...answers.values()].sort((a, b) => a.index - b.index),

    told(heard) {
      for (const { index } of heard) answers.delete(index);
    },

    clear() {
      if (begun.size === 0) return;
      scope.cancel();
      scope = new CancellationScope();
      begun.clear();
      answers.clear();
      deadlines = [];
      poll = pollMs;
    },

    get underWay() {
      return [...begun.values()].some((answer) => answer !== undefined);
    },
  };
}

/** A tool of the user's own worker: its activity gets the input, and under what it is called. */
function callTool(
  { tool, queue, activity, timeoutMs, input, idempotencyKey }: Wait & { kind: 'tool' },
  project: string,
): Promise<JsonValue> {
  type Foreign = Record<
    string,
    (input: JsonValue, call: { idempotencyKey: string; project: string }) => Promise<JsonValue>
  >;
  const foreign = proxyActivities<Foreign>(foreignTool(queue, timeoutMs, `tool ${tool}`));
  return foreign[activity]!(input, { idempotencyKey, project });
}

function inWords(wait: Wait): string {
  switch (wait.kind) {
    case 'sleep':
      return `${wait.ms} ms of sleep`;
    case 'ask-human':
      return `an answer to "${wait.question}" (update "answer" with {"answer": …}, question ${wait.approvalId})`;
    case 'spawn-task':
      return `a task of ${wait.taskType}`;
    case 'tool':
      return `the tool ${wait.tool} on queue ${wait.queue}`;
  }
}
