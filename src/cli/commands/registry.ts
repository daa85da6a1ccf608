import type { Command } from 'commander';
import { writeFile } from 'node:fs/promises';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import type { DatasetRecord } from '../../contracts/records.ts';
import { command, group } from '../command.ts';
import { wholeNumber } from '../input.ts';
import { short, table } from '../output.ts';
import type { Session } from '../session.ts';
import { addModelCommands } from './models.ts';

export function addRegistryCommands(program: Command, session: Session): void {
  program.commandsGroup('Registry:');
  addKeyCommands(program, session);
  addModelCommands(program, session);
  addDatasetCommands(program, session);
  command<{ limit?: string }, []>(program, session, {
    name: 'ledger',
    summary: 'what device time was used for, and what it cost',
    options: [['--limit <number>', 'so many entries at most', '50']],
    examples: ['ledger', 'ledger --json'],
    run: async (current, { limit }) => {
      const { ledger } = current.stores();
      const entries = await ledger.list(current.project, wholeNumber('--limit', limit, 50));
      const sums = await ledger.sum(current.project);
      current.print({ entries, sums }, () =>
        [
          table(entries, [
            { title: 'AT', value: ({ at }) => at },
            { title: 'DEVICE', value: ({ deviceClass }) => deviceClass },
            { title: 'PURPOSE', value: ({ purpose }) => purpose },
            { title: 'HOLDER', value: ({ holder }) => holder },
            { title: 'SECONDS', value: ({ seconds }) => seconds, numeric: true },
            { title: 'COST', value: ({ cost }) => cost, numeric: true },
          ]),
          table(sums, [
            { title: 'DEVICE', value: ({ deviceClass }) => deviceClass },
            { title: 'LEASES', value: ({ leases }) => leases, numeric: true },
            { title: 'SECONDS', value: ({ seconds }) => seconds, numeric: true },
            { title: 'COST', value: ({ cost }) => cost, numeric: true },
          ]),
        ].join('\n\n'),
      );
    },
  });
}

function addKeyCommands(program: Command, session: Session): void {
  const keys = group(program, 'keys', 'API keys of the project');
  command<object, [string]>(keys, session, {
    name: 'create <name>',
    summary: 'make a key; it is shown once',
    examples: ['keys create ci', 'keys create ci --json'],
    run: async (current, _options, name) => {
      const { key } = await current.stores().apiKeys.create(current.project, name);
      current.print({ name, key }, () => key);
    },
  });
  command(keys, session, {
    name: 'list',
    summary: 'names of the keys',
    examples: ['keys list'],
    run: async (current) => {
      current.print(await current.stores().apiKeys.list(current.project), (rows) =>
        table(rows, [
          { title: 'NAME', value: ({ name }) => name },
          { title: 'CREATED', value: ({ createdAt }) => createdAt },
          { title: 'REVOKED', value: ({ revokedAt }) => revokedAt },
        ]),
      );
    },
  });
  command<object, [string]>(keys, session, {
    name: 'revoke <name>',
    summary: 'make a key worthless, at once',
    examples: ['keys revoke ci'],
    run: async (current, _options, name) => {
      const revoked = await current.stores().apiKeys.revoke(current.project, name);
      if (!revoked) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'key', name });
      current.print({ name, revoked }, () => `${name} is revoked`);
    },
  });
}

function addDatasetCommands(program: Command, session: Session): void {
  const datasets = group(program, 'datasets', 'curated, immutable sets of examples');
  command<{ taskType?: string }, []>(datasets, session, {
    name: 'list',
    summary: 'dataset versions of a task type',
    options: [['--task-type <name>', 'task type']],
    examples: ['datasets list --task-type mail-triage'],
    run: async (current, { taskType }) => {
      if (taskType === undefined)
        throw invalidInput('the command line', [{ path: '--task-type', message: 'is required' }]);
      current.print(await current.stores().datasets.list(current.project, taskType), datasetsText);
    },
  });
  command<{ out?: string }, [string]>(datasets, session, {
    name: 'export <id>',
    summary: 'the examples of a dataset as JSONL',
    description: 'Writes the examples of a dataset as JSONL, in the bytes that its artifact name is the hash of.',
    options: [['--out <file>', 'write to this file instead of standard output']],
    examples: ['datasets export 5f1d2c… --out data.jsonl'],
    run: async (current, { out }, id) => {
      const stores = current.stores();
      const dataset = await stores.datasets.get(current.project, id);
      if (dataset === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'dataset', name: id });
      const bytes = await stores.artifacts.get(dataset.artifact);
      if (out === undefined) {
        current.io.out(new TextDecoder().decode(bytes));
        return;
      }
      await writeFile(out, bytes);
      current.print({ file: out, ...dataset.artifact }, () => `${bytes.length} bytes written to ${out}`);
    },
  });
}

function datasetsText(rows: readonly DatasetRecord[]): string {
  return table(rows, [
    { title: 'DATASET', value: ({ id }) => short(id) },
    { title: 'VERSION', value: ({ version }) => version, numeric: true },
    { title: 'UP TO', value: ({ uptoOrdinal }) => uptoOrdinal, numeric: true },
    { title: 'TRAIN', value: ({ counts }) => counts.train, numeric: true },
    { title: 'VALIDATION', value: ({ counts }) => counts.validation, numeric: true },
    { title: 'TEST', value: ({ counts }) => counts.test, numeric: true },
  ]);
}
