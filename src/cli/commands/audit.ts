import type { Command } from 'commander';
import { invalidInput } from '../../contracts/errors.ts';
import { command, group } from '../command.ts';
import { wholeNumber } from '../input.ts';
import { table } from '../output.ts';
import type { Session } from '../session.ts';

const DAY_MS = 24 * 3_600_000;

export function addAuditCommands(program: Command, session: Session): void {
  program.commandsGroup('Trust and care:');
  const audit = group(program, 'audit', 'the hash-chained log of decisions');
  command(audit, session, {
    name: 'verify',
    summary: 'recompute the hash chain',
    description: 'Recomputes the hash chain from its first entry. Exits with 1 at the first entry that was changed.',
    examples: ['audit verify'],
    run: async (current) => {
      const stores = current.stores();
      await stores.audit.seal(current.project);
      current.print(
        await stores.audit.verify(current.project),
        ({ entries, head }) => `${entries} entries hold, head ${head}`,
      );
    },
  });
  command<{ type?: string; subject?: string; from?: string; limit?: string }, []>(audit, session, {
    name: 'list',
    summary: 'entries in order',
    options: [
      ['--type <type>', 'of this type only, for example deployment.promoted'],
      ['--subject <subject>', 'about this only'],
      ['--from <number>', 'from this entry on', '1'],
      ['--limit <number>', 'so many at most', '100'],
    ],
    examples: ['audit list --type deployment.promoted', 'audit list --from 200 --json'],
    run: async (current, { type, subject, from, limit }) => {
      const entries = await current.stores().audit.list(current.project, {
        fromSeq: wholeNumber('--from', from, 1),
        limit: wholeNumber('--limit', limit, 100),
        ...(type === undefined ? {} : { type }),
        ...(subject === undefined ? {} : { subject }),
      });
      current.print(entries, (rows) =>
        table(rows, [
          { title: 'SEQ', value: ({ seq }) => seq, numeric: true },
          { title: 'AT', value: ({ at }) => at },
          { title: 'TYPE', value: (entry) => entry.type },
          { title: 'ACTOR', value: ({ actor }) => actor },
          { title: 'SUBJECT', value: (entry) => entry.subject },
        ]),
      );
    },
  });
  addDeadLetterCommands(program, session);
  command<{ dryRun?: boolean; graceDays?: string }, []>(program, session, {
    name: 'gc',
    summary: 'remove artifacts that nothing refers to',
    options: [
      ['--dry-run', 'list them only'],
      ['--grace-days <number>', 'keep younger ones: their row may be about to be written', '7'],
    ],
    examples: ['gc --dry-run', 'gc --grace-days 30'],
    run: async (current, { dryRun = false, graceDays }) => {
      const graceMs = wholeNumber('--grace-days', graceDays, 7) * DAY_MS;
      const report = await current.stores().gc({ now: new Date(), graceMs, dryRun });
      current.print(report, ({ stored, reachable, spared, removed, bytes }) =>
        [
          ...removed.map(({ key, bytes: size }) => `${dryRun ? 'would remove' : 'removed'} ${key} (${size} bytes)`),
          `${stored} stored, ${reachable} in use, ${spared} too young, ${removed.length} ${dryRun ? 'to remove' : 'removed'}: ${bytes} bytes`,
        ].join('\n'),
      );
    },
  });
}

function addDeadLetterCommands(program: Command, session: Session): void {
  const letters = group(program, 'dead-letters', 'tasks that could not be run');
  command<{ taskType?: string; limit?: string }, []>(letters, session, {
    name: 'list',
    summary: 'dead tasks with their reason, newest first',
    options: [
      ['--task-type <name>', 'of this task type only'],
      ['--limit <number>', 'so many at most', '100'],
    ],
    examples: ['dead-letters list'],
    run: async (current, { taskType, limit }) => {
      const all = await current.client().deadLetters({
        limit: wholeNumber('--limit', limit, 100),
        ...(taskType === undefined ? {} : { taskType }),
      });
      current.print(all, (rows) =>
        table(rows, [
          { title: 'TASK', value: ({ taskId }) => taskId },
          { title: 'TASK TYPE', value: (letter) => letter.taskType },
          { title: 'ORDINAL', value: ({ ordinal }) => ordinal, numeric: true },
          { title: 'CODE', value: ({ code }) => code },
          { title: 'REASON', value: ({ reason }) => reason },
        ]),
      );
    },
  });
  command<{ all?: boolean }, [string[]]>(letters, session, {
    name: 'redrive [tasks...]',
    summary: 'run dead tasks again',
    description: 'Runs dead tasks again, with their routing as admitted. Name them, or give --all.',
    options: [['--all', 'every one of the project']],
    examples: ['dead-letters redrive 3f0c9a…', 'dead-letters redrive --all'],
    run: async (current, { all = false }, tasks) => {
      if (all === tasks.length > 0)
        throw invalidInput('the command line', [{ path: '', message: 'name the tasks, or give --all' }]);
      const redriven = await current.client().redrive(all ? undefined : tasks);
      current.print({ redriven }, () => `${redriven.length} tasks run again`);
    },
  });
}
