import type { Command } from 'commander';
import { invalidInput } from '../../contracts/errors.ts';
import type { LongExecutionState } from '../../contracts/executions.ts';
import type { JsonObject, JsonValue } from '../../contracts/records.ts';
import type { EffectView, ExecutionDetails, ExecutionView, ForkRequest } from '../../client/index.ts';
import { command, group } from '../command.ts';
import { parseJson, wholeNumber } from '../input.ts';
import { fields, short, table } from '../output.ts';
import type { Session } from '../session.ts';
import { plainLine, plainText, questionText } from './approvals.ts';

/** Characters of a request and of a result in a table. */
const SHOWN = 48;

export function addExecutionCommands(program: Command, session: Session): void {
  const executions = group(program, 'executions', 'executions that go turn by turn: look, pause, cancel, fork');
  command<{ taskType?: string; task?: string; state?: string; limit?: string }, []>(executions, session, {
    name: 'list',
    summary: 'executions that go turn by turn, newest first',
    options: [
      ['--task-type <name>', 'of this task type only'],
      ['--task <id>', 'of this task only: its own, and forks of it'],
      ['--state <state>', 'only those that are running, paused, completed or failed'],
      ['--limit <number>', 'so many at most', '20'],
    ],
    examples: ['executions list', 'executions list --state paused --json'],
    run: async (current, { limit, state, ...filters }) => {
      const all = await current.client().executions.list({
        ...filters,
        limit: wholeNumber('--limit', limit, 20),
        // The server says what states there are.
        ...(state === undefined ? {} : { state: state as LongExecutionState }),
      });
      current.print(all, executionsText);
    },
  });
  command<{ turns?: string }, [string]>(executions, session, {
    name: 'show <id>',
    summary: 'where an execution stands, what it waits for, its last turns',
    options: [['--turns <number>', 'so many of the last turns', '20']],
    examples: ['executions show 3f0c9a…', 'executions show 3f0c9a… --turns 5 --json'],
    run: show,
  });
  command<{ from?: string; limit?: string; full?: boolean }, [string]>(executions, session, {
    name: 'effects <id>',
    summary: 'the transcript: what an agent asked for, and what came of it',
    options: [
      ['--from <turn>', 'the first turn', '0'],
      ['--limit <number>', 'about so many effects; a turn is never cut', '100'],
      ['--full', 'fetch results over 64 KB, too'],
    ],
    examples: ['executions effects 3f0c9a…', 'executions effects 3f0c9a… --from 120 --full --json'],
    run: async (current, { from, limit, full = false }, id) => {
      const page = await current.client().executions.effects(id, {
        from: wholeNumber('--from', from, 0),
        limit: wholeNumber('--limit', limit, 100),
        full,
      });
      const more = page.next === undefined ? '' : `\n\nmore: chimera executions effects ${id} --from ${page.next}`;
      current.print(page, ({ effects }) => `${effectsText(effects)}${more}`);
    },
  });
  const control = (verb: 'pause' | 'resume' | 'cancel', summary: string): void =>
    command<object, [string]>(executions, session, {
      name: `${verb} <id>`,
      summary,
      examples: [`executions ${verb} 3f0c9a…`],
      run: async (current, _options, id) => {
        current.print(await current.client().executions[verb](id), headText);
      },
    });
  control('pause', 'stop taking turns; what is under way is finished first');
  control('resume', 'go on where it was paused');
  control('cancel', 'end it as failed, with what its agent has');
  command<ForkOptions, [string]>(executions, session, {
    name: 'fork <id>',
    summary: 'run the same task again from a turn on, with changes',
    description:
      'Runs the task of an execution again. What its agent asked for before the turn is answered as it was; from there on everything is performed anew, with whatever is changed. The same fork again is the same execution. The task keeps the answer that it has.',
    options: [
      ['--turn <turn>', 'the first turn that is its own'],
      ['--agent-version <version>', 'another version, or an agent by name'],
      ['--seed <number>', 'another seed'],
      ['--limits <json>', 'other limits: fuel, memoryPages, turns, outputBytes, logBytes'],
      ['--budget <json>', 'another budget: turns, fuel, tokens, money, wallMs'],
    ],
    examples: [
      'executions fork 3f0c9a… --turn 12 --agent-version my-agent',
      `executions fork 3f0c9a… --turn 0 --seed 7 --budget '{"turns":500}'`,
    ],
    run: async (current, options, id) => {
      const fork = await current.client().executions.fork(id, forkOf(options));
      current.print(fork, (view) => `${headText(view)}\nnext: chimera executions show ${view.executionId}`);
    },
  });
}

interface ForkOptions {
  turn?: string;
  agentVersion?: string;
  seed?: string;
  limits?: string;
  budget?: string;
}

function forkOf({ turn, limits, budget, ...named }: ForkOptions): ForkRequest {
  if (turn === undefined) throw invalidInput('the command line', [{ path: '--turn', message: 'is required' }]);
  // The server says what may be in them.
  const changes = (flag: string, text: string): JsonObject => parseJson(text, flag) as JsonObject;
  return {
    turn: wholeNumber('--turn', turn, 0),
    ...named,
    ...(limits === undefined ? {} : { limits: changes('--limits', limits) }),
    ...(budget === undefined ? {} : { budget: changes('--budget', budget) }),
  };
}

async function show(session: Session, { turns }: { turns?: string }, id: string): Promise<void> {
  const { executions } = session.client();
  const details = await executions.get(id);
  const count = wholeNumber('--turns', turns, 20);
  const from = Math.max(0, (details.now?.turn ?? details.turn) - count);
  const effects: EffectView[] = [];
  if (count > 0) for await (const effect of executions.transcript(id, { from })) effects.push(effect);
  session.print({ ...details, effects }, ({ effects: shown, ...execution }) => {
    const before = from === 0 ? '' : `turns before ${from}: chimera executions effects ${id}\n\n`;
    return [
      detailsText(execution),
      ...(count > 0 ? [`${before}${effectsText(shown)}`] : []),
      ...execution.questions.map(questionText),
    ].join('\n\n');
  });
}

function executionsText(executions: readonly ExecutionView[]): string {
  return table(executions, [
    { title: 'EXECUTION', value: ({ executionId }) => executionId },
    { title: 'TASK TYPE', value: ({ taskType }) => taskType },
    { title: 'STATE', value: ({ state, reason }) => (reason === undefined ? state : `${state}: ${reason.code}`) },
    { title: 'TURN', value: ({ turn }) => turn, numeric: true },
    { title: 'FUEL', value: ({ fuel }) => fuel, numeric: true },
    { title: 'VERSION', value: ({ agentVersion }) => short(agentVersion) },
    { title: 'FORKED AT', value: ({ fromTurn }) => fromTurn, numeric: true },
    { title: 'STARTED', value: ({ startedAt }) => startedAt },
  ]);
}

function headText(execution: ExecutionView | ExecutionDetails): string {
  const { executionId, taskType, turn, parent, fromTurn } = execution;
  return fields([
    ['execution', executionId],
    ['task type', taskType],
    ['fork of', parent && `${parent} at turn ${fromTurn}`],
    ['state', stateText(execution)],
    ['turn', turn],
  ]);
}

/** As it is stored, and what it says itself where that is more. */
function stateText({ state, now }: Pick<ExecutionDetails, 'state' | 'now'>): string {
  return now === undefined || now.state === state ? state : `${state}: ${now.state}`;
}

function detailsText(execution: ExecutionDetails): string {
  const { config, now, noAnswer, reason, output, parent } = execution;
  return fields([
    ['execution', execution.executionId],
    ['task type', execution.taskType],
    ['task', execution.taskId],
    ['version', short(execution.agentVersion)],
    ['fork of', parent && `${parent} at turn ${execution.fromTurn}`],
    ['seed', config.seed],
    ['limits', config.limits],
    ['budget', Object.keys(config.budget).length === 0 ? undefined : config.budget],
    ['state', stateText(execution)],
    ['not reached', noAnswer],
    ['turn', now?.turn ?? execution.turn],
    ['fuel', now?.fuel ?? execution.fuel],
    ...(now?.waitsFor ?? []).map((what): [string, string] => ['waits for', plainText(what)]),
    ['answer', output === undefined ? undefined : plainText(JSON.stringify(output))],
    ['reason', reason && plainText(`${reason.code}: ${reason.message}`)],
    ['started', execution.startedAt],
    ['ended', execution.endedAt],
    ['record', execution.recordHash],
    ['Temporal UI', execution.ui],
  ]);
}

function effectsText(effects: readonly EffectView[]): string {
  return table(effects, [
    { title: 'TURN', value: ({ turn, index }) => `${turn}.${index}` },
    { title: 'EFFECT', value: ({ kind }) => kind },
    { title: 'REQUEST', value: requestText },
    { title: 'OK', value: ({ ok }) => (ok ? 'yes' : 'no') },
    { title: 'RESULT', value: resultText },
    { title: 'ANSWERED BY', value: ({ answeredBy }) => plainLine(answeredBy, SHOWN) },
    { title: 'COST', value: ({ cost }) => cost, numeric: true },
  ]);
}

/** The member of a request that says most, by kind of effect. */
const TELLING: Partial<Record<EffectView['kind'], string>> = {
  'ask-human': 'question',
  'spawn-task': 'taskType',
  http: 'url',
  tool: 'tool',
};

function requestText({ kind, request }: EffectView): string {
  const told = TELLING[kind];
  const value = told === undefined ? undefined : (request as JsonObject | null)?.[told];
  return plainLine(typeof value === 'string' ? value : JSON.stringify(request), SHOWN);
}

function resultText({ ok, body, artifact }: EffectView): string {
  if (artifact !== undefined) return `${artifact.bytes} bytes: ${short(artifact.sha256)}`;
  const { code, message } = (body ?? {}) as { code?: JsonValue; message?: JsonValue };
  return plainLine(ok || code === undefined ? JSON.stringify(body) : `${String(code)}: ${String(message)}`, SHOWN);
}
