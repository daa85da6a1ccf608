import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { executionInput, type ExecutionInput } from '../contracts/inputs.ts';
import { invalidInput } from '../contracts/errors.ts';
import { QUERIES, SIGNALS, UPDATES, type AnswerToQuestion, type By } from '../contracts/messages.ts';
import type { TaskResult } from '../activities/task-outcome.ts';
import type { OpenedExecution, TurnsTaken } from '../activities/turns.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { createStory, type Story } from './lib/story.ts';
import { createWaits } from './lib/waits.ts';
import { io, turns } from './options.ts';

const pauseUpdate = defineUpdate<ExecutionView, [By?]>(UPDATES.pause);
const resumeUpdate = defineUpdate<ExecutionView, [By?]>(UPDATES.resume);
const cancelUpdate = defineUpdate<ExecutionView, [By?]>(UPDATES.cancel);
const answerUpdate = defineUpdate<{ approvalId: string }, [AnswerToQuestion]>(UPDATES.answer);
const answeredSignal = defineSignal(SIGNALS.answered);
const inspectQuery = defineQuery<ExecutionView>(QUERIES.inspect);

/** What a query sees. */
export interface ExecutionView {
  executionId: string;
  state: 'running' | 'waiting' | 'paused' | 'ending' | 'done';
  turn: number;
  fuel: number;
  /** What it waits for, in words. */
  waitsFor: string[];
}

/**
 * One execution that goes turn by turn: its agent asks the world for something, and the answers are recorded before it is told. Some
 * turns are one activity; what takes its time (to sleep, people, other tasks, tools of other workers) is waited for here. The
 * history holds no payloads and continues as new, so that an execution may live for any number of turns.
 * Started by `taskWorkflow`; from the Temporal UI with `{"fork": {"execution", "turn", ...}}`.
 */
export const executionWorkflow = defineWorkflow(
  'executionWorkflow',
  'run',
  executionInput,
  async (input): Promise<TaskResult> => {
    const opened = await open(input);
    const story = createStory({ project: input.project, taskType: opened.taskType, layer: 'execution' });
    const run = new Run(input, opened, story);
    try {
      return await run.toItsEnd();
    } catch (error) {
      if (!isCancellation(error)) throw error;
      // It ends in the stores, too: a task must not stay half-done because somebody cancelled its workflow.
      await CancellationScope.nonCancellable(() => run.end('by cancelling its workflow'));
      throw error;
    }
  },
);

function open({ project, executionId, fork, actor }: ExecutionInput): Promise<OpenedExecution> {
  if ((executionId === undefined) === (fork === undefined)) {
    throw invalidInput('the input of executionWorkflow', [{ path: '', message: 'give either executionId or fork' }]);
  }
  return fork === undefined
    ? activities(io('open the execution')).openExecution({ project, executionId: executionId! })
    : activities(io(`fork ${fork.execution} at turn ${fork.turn}`)).openFork({ project, fork, actor });
}

class Run {
  readonly #input: ExecutionInput;
  readonly #story: Story;
  readonly #waits: ReturnType<typeof createWaits>;
  readonly #view: ExecutionView;
  /** Cancelled where the turns under way are to be left early. */
  #slice: CancellationScope | undefined;
  #paused: boolean;
  #ending = false;

  constructor(input: ExecutionInput, { executionId, startedAt, wallMs }: OpenedExecution, story: Story) {
    this.#input = input;
    this.#story = story;
    this.#paused = input.paused;
    this.#view = { executionId, state: 'running', turn: 0, fuel: 0, waitsFor: [] };
    const { project, pollMs } = input;
    const endsAt = wallMs === undefined ? undefined : Date.parse(startedAt) + wallMs;
    this.#waits = createWaits({ project, executionId, pollMs, ...(endsAt === undefined ? {} : { endsAt }) });
    setHandler(inspectQuery, () => this.#view);
    setHandler(answeredSignal, () => this.#waits.look());
    setHandler(pauseUpdate, (by) => this.#setPaused(true, by?.by ?? 'temporal'));
    setHandler(resumeUpdate, (by) => this.#setPaused(false, by?.by ?? 'temporal'));
    setHandler(cancelUpdate, async (by) => {
      await this.#markEnding(`by ${by?.by ?? 'temporal'}`);
      return this.#view;
    });
    setHandler(answerUpdate, async ({ approvalId, answer, by = 'temporal' }) => {
      const asked = { project, executionId, answer, by, ...(approvalId === undefined ? {} : { approvalId }) };
      const answered = await activities(io('take the answer')).answerQuestion(asked);
      this.#waits.look();
      return answered;
    });
  }

  async toItsEnd(): Promise<TaskResult> {
    for (;;) {
      if (this.#paused && !this.#ending) await this.#whilePaused();
      const taken = await this.#takeTurns();
      if (taken.state === 'ended') return this.#concluded(taken.result);
      if (taken.state === 'waiting') await this.#wait(taken);
      // A question may stay open for a year, and is looked at every hour.
      if (workflowInfo().historyLength > this.#input.eventsPerRun && !this.#waits.underWay) await this.#continue();
    }
  }

  /** Ends the execution where it stands. */
  async end(why: string): Promise<void> {
    await this.#markEnding(why);
    for (;;) {
      const taken = await this.#takeTurns();
      if (taken.state === 'ended') return void (await this.#concluded(taken.result));
    }
  }

  async #takeTurns(): Promise<TurnsTaken> {
    const { project, turnsAtATime, sliceMs } = this.#input;
    const { executionId, turn } = this.#view;
    const answers = this.#waits.taken();
    this.#show('running', `takes turns from turn ${turn} on`);
    const slice = new CancellationScope({ cancellable: true });
    this.#slice = slice;
    try {
      const taken = await slice.run(() =>
        activities(turns(`turns from ${turn} on`)).takeTurns({
          ...{ project, executionId, answers, sliceMs, turns: turnsAtATime },
        }),
      );
      this.#waits.told(answers);
      if (taken.state !== 'waiting' || taken.turn !== this.#view.turn) this.#waits.clear();
      this.#view.turn = taken.turn;
      this.#view.fuel = taken.fuel;
      return taken;
    } catch (error) {
      // Left before it began, for a pause: nothing has happened.
      if (!isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
      return { state: 'more', turn: this.#view.turn, fuel: this.#view.fuel };
    } finally {
      this.#slice = undefined;
    }
  }

  async #wait({ waits }: TurnsTaken & { state: 'waiting' }): Promise<void> {
    this.#view.waitsFor = this.#waits.begin(waits);
    this.#show('waiting', `waits: ${this.#view.waitsFor.join('; ')}`);
    await this.#waits.any(() => this.#ending || this.#paused);
    this.#view.waitsFor = [];
  }

  async #whilePaused(): Promise<void> {
    this.#show('paused', `paused after ${this.#view.turn} turns; the update "resume" lets it go on`);
    await condition(() => !this.#paused || this.#ending);
  }

  async #setPaused(paused: boolean, by: string): Promise<ExecutionView> {
    const { project } = this.#input;
    const { executionId } = this.#view;
    if (this.#paused !== paused) {
      this.#paused = paused;
      this.#story.tell(`${paused ? 'paused' : 'resumed'} by ${by}`);
      // Whoever takes turns sees it there, after the turn that is under way.
      await activities(io(paused ? 'note the pause' : 'note that it goes on')).notePause({
        ...{ project, executionId, paused, by },
      });
      if (paused && this.#paused) this.#slice?.cancel();
      await condition(() => !this.#paused || this.#slice === undefined);
    }
    return this.#view;
  }

  async #markEnding(why: string): Promise<void> {
    const { project } = this.#input;
    const { executionId } = this.#view;
    const ending = { code: 'cancelled' as const, message: `cancelled ${why}` };
    await activities(io('cancel the execution')).endExecution({ project, executionId, ending, by: why });
    this.#ending = true;
    this.#view.state = 'ending';
    this.#story.tell(ending.message);
    this.#slice?.cancel();
  }

  async #continue(): Promise<void> {
    await condition(allHandlersFinished);
    const { executionId } = this.#view;
    const { fork: _, ...input } = this.#input;
    await continueAsNew<(state: ExecutionInput) => Promise<TaskResult>>({
      ...{ ...input, executionId, paused: this.#paused },
    });
  }

  async #concluded(result: TaskResult): Promise<TaskResult> {
    const { status, reason } = result;
    this.#view.waitsFor = [];
    const why = reason === undefined ? '' : `: ${reason.code}, ${reason.message}`;
    this.#show('done', `${status} after ${this.#view.turn} turns${why}`);
    await condition(allHandlersFinished);
    return result;
  }

  #show(state: ExecutionView['state'], line: string): void {
    this.#view.state = state;
    this.#story.now(line, state);
  }
}
