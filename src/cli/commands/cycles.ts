import type { Command } from 'commander';
import { invalidInput } from '../../contracts/errors.ts';
import type { ChimeraClient, CycleView } from '../../client/index.ts';
import { command, group } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { wholeNumber } from '../input.ts';
import { fields, table } from '../output.ts';
import type { Session } from '../session.ts';

interface StartOptions {
  taskType?: string;
  force?: boolean;
  seed?: string;
  watch?: boolean;
  settings?: string;
}

export function addCycleCommands(program: Command, session: Session): void {
  const cycles = group(program, 'cycle', 'evolution cycles: curate, train, evolve, prove, promote');
  command<StartOptions, []>(cycles, session, {
    name: 'start',
    summary: 'start a cycle',
    description: 'Starts an evolution cycle. While one runs for the task type, that one is shown.',
    options: [
      ['--task-type <name>', 'task type'],
      ['--force', 'run even where nothing asks for it'],
      ['--seed <seed>', 'seed of every draw', 'chimera'],
      ['--settings <json>', 'more settings of the cycle, as in the Temporal UI'],
      ['--watch', 'follow it to its end'],
    ],
    examples: [
      'cycle start --task-type mail-triage --watch',
      `cycle start --task-type mail-triage --force --settings '{"generations":4}'`,
    ],
    run: start,
  });
  command<{ taskType?: string; limit?: string }, []>(cycles, session, {
    name: 'list',
    summary: 'cycles that run, then those on record, newest first',
    options: [
      ['--task-type <name>', 'of this task type only'],
      ['--limit <number>', 'so many at most', '20'],
    ],
    examples: ['cycle list', 'cycle list --task-type mail-triage --json'],
    run: async (current, { taskType, limit }) => {
      const all = await current.client().cycles({
        limit: wholeNumber('--limit', limit, 20),
        ...(taskType === undefined ? {} : { taskType }),
      });
      current.print(all, cyclesText);
    },
  });
  command<object, [string]>(cycles, session, {
    name: 'show <id>',
    summary: 'where a cycle is, what it tells, what came out',
    examples: ['cycle show 5f1d2c3b4a596877'],
    run: async (current, _options, id) => {
      current.print(await current.client().cycle(id), cycleText);
    },
  });
  command<object, [string]>(cycles, session, {
    name: 'watch <id>',
    summary: 'follow a cycle to its end',
    description: 'Follows a cycle to its end. Exits with 1 when it failed.',
    examples: ['cycle watch 01a20510-4b2d-7cb1-83a5-5da3380fb368'],
    run: (current, _options, id) => watch(current, current.client(), id),
  });
}

async function start(session: Session, options: StartOptions): Promise<ExitCode | void> {
  const { taskType, force = false, seed } = options;
  if (taskType === undefined) throw invalidInput('the command line', [{ path: '--task-type', message: 'is required' }]);
  const client = session.client();
  const cycle = await client.startCycle({
    ...settingsOf(options.settings),
    taskType,
    force,
    ...(seed === undefined ? {} : { seed }),
  });
  if (options.watch === true) return watch(session, client, cycle.id);
  session.print(cycle, cycleText);
  return undefined;
}

function settingsOf(text: string | undefined): Record<string, never> {
  if (text === undefined) return {};
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, never>;
  } catch {
    // Said below.
  }
  throw invalidInput('the command line', [{ path: '--settings', message: 'must be a JSON object' }]);
}

async function watch(session: Session, client: ChimeraClient, id: string): Promise<ExitCode | void> {
  let told = '';
  const cycle = await client.waitForCycle(id, {
    onProgress: ({ details, phase }) => {
      const line = details?.split('\n')[0]?.replaceAll('*', '') ?? phase;
      if (line !== undefined && line !== told) session.say((told = line));
    },
  });
  session.print(cycle, cycleText);
  return cycle.state === 'completed' ? undefined : EXIT.failed;
}

function cycleText(cycle: CycleView): string {
  const { details, result, ...rest } = cycle;
  const head = fields([
    ['cycle', rest.id],
    ['task type', rest.taskType],
    ['state', rest.state],
    ['phase', rest.phase],
    ['started', rest.startedAt],
    ['closed', rest.closedAt],
    ['error', rest.error],
    ['result', result],
    ['report', rest.report],
    ['Temporal UI', rest.ui],
  ]);
  return details === undefined ? head : `${head}\n\n${details}`;
}

function cyclesText(cycles: readonly CycleView[]): string {
  return table(cycles, [
    { title: 'CYCLE', value: ({ id }) => id },
    { title: 'TASK TYPE', value: ({ taskType }) => taskType },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'OUTCOME', value: (cycle) => outcomeOf(cycle) ?? cycle.phase },
    { title: 'CLOSED', value: ({ closedAt }) => closedAt },
  ]);
}

function outcomeOf({ result }: CycleView): unknown {
  return typeof result === 'object' && result !== null && !Array.isArray(result) ? result['outcome'] : undefined;
}
