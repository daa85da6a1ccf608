import type { Command } from 'commander';
import type { TaskTypeView } from '../../client/index.ts';
import { command, group } from '../command.ts';
import { parseJson, readInput } from '../input.ts';
import { table } from '../output.ts';
import type { Session } from '../session.ts';

export function addTaskTypeCommands(program: Command, session: Session): void {
  const types = group(program, 'task-types', 'what kinds of tasks there are');
  command<object, [string | undefined]>(types, session, {
    name: 'register [file]',
    summary: 'register a version of a task type',
    description:
      'Registers the task type in a JSON file (default: standard input): schemas, scorer, objectives, limits. The same content again changes nothing.',
    examples: ['task-types register examples/mail-triage/task-type.json'],
    run: async (current, _options, file) => {
      const text = (await readInput(file)).toString('utf8');
      const definition = parseJson(text, file ?? 'standard input') as TaskTypeView;
      const registered = await current.client().registerTaskType(definition);
      current.print(registered, ({ name, version }) => `${name}, version ${version}, is registered`);
    },
  });
  command(types, session, {
    name: 'list',
    summary: 'the latest version of each',
    examples: ['task-types list'],
    run: async (current) => {
      current.print(await current.client().taskTypes(), (all) =>
        table(all, [
          { title: 'NAME', value: ({ name }) => name },
          { title: 'VERSION', value: ({ version }) => version, numeric: true },
          { title: 'TITLE', value: ({ title }) => title },
        ]),
      );
    },
  });
  command<object, [string]>(types, session, {
    name: 'show <name>',
    summary: 'a task type, as JSON',
    examples: ['task-types show mail-triage'],
    run: async (current, _options, name) => {
      current.print(await current.client().taskType(name), (type) => JSON.stringify(type, undefined, 2));
    },
  });
}
