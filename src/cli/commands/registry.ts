import type { Command } from 'commander';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import type { DatasetRecord } from '../../contracts/records.ts';
import type { Stores } from '../../stores/index.ts';
import { command, group } from '../command.ts';
import { refuseThere, writeNew } from '../file-errors.ts';
import { wholeNumber } from '../input.ts';
import { fields, short, table } from '../output.ts';
import type { Session } from '../session.ts';
import { addModelCommands } from './models.ts';

export function addRegistryCommands(program: Command, session: Session): void {
  program.commandsGroup('Registry:');
  addKeyCommands(program, session);
  addModelCommands(program, session);
  addDatasetCommands(program, session);
  command<{ limit?: string }, []>(program, session, {
    name: 'ledger',
    summary: 'what device time and models of providers were used for, and what they cost',
    description:
      'What was paid for: leases of devices, and calls of models that providers serve, each with its sums. A call whose tokens the provider did not count is marked as estimated.',
    options: [['--limit <number>', 'so many entries of each at most', '50']],
    examples: ['ledger', 'ledger --json'],
    run: ledger,
  });
}

async function ledger(session: Session, { limit }: { limit?: string }): Promise<void> {
  const { ledger: leases, usage } = session.stores();
  const count = wholeNumber('--limit', limit, 50);
  const entries = await leases.list(session.project, count);
  const sums = await leases.sum(session.project);
  const models = { entries: await usage.list(session.project, count), sums: await usage.sum(session.project) };
  const cost = [...sums, ...models.sums].reduce((total, sum) => total + sum.cost, 0);
  session.print({ entries, sums, models, cost }, () =>
    [
      table(entries, [
        { title: 'AT', value: ({ at }) => at },
        { title: 'DEVICE', value: ({ deviceClass }) => deviceClass },
        { title: 'PURPOSE', value: ({ purpose }) => purpose },
        { title: 'HOLDER', value: ({ holder }) => holder },
        { title: 'SECONDS', value: ({ seconds }) => seconds, numeric: true },
        { title: 'COST', value: (entry) => entry.cost, numeric: true },
      ]),
      table(sums, [
        { title: 'DEVICE', value: ({ deviceClass }) => deviceClass },
        { title: 'LEASES', value: (sum) => sum.leases, numeric: true },
        { title: 'SECONDS', value: ({ seconds }) => seconds, numeric: true },
        { title: 'COST', value: (sum) => sum.cost, numeric: true },
      ]),
      table(models.entries, [
        { title: 'AT', value: ({ at }) => at },
        { title: 'PROVIDER', value: ({ provider }) => provider },
        { title: 'MODEL', value: ({ model }) => model },
        { title: 'CALLER', value: ({ caller }) => caller },
        { title: 'PROMPT TOKENS', value: ({ promptTokens }) => promptTokens, numeric: true },
        { title: 'COMPLETION TOKENS', value: ({ completionTokens }) => completionTokens, numeric: true },
        { title: 'COST', value: (entry) => entry.cost, numeric: true },
        { title: 'COUNTED', value: ({ estimated }) => (estimated ? 'estimated' : 'by the provider') },
      ]),
      table(models.sums, [
        { title: 'PROVIDER', value: ({ provider }) => provider },
        { title: 'MODEL', value: ({ model }) => model },
        { title: 'CALLS', value: ({ calls }) => calls, numeric: true },
        { title: 'PROMPT TOKENS', value: ({ promptTokens }) => promptTokens, numeric: true },
        { title: 'COMPLETION TOKENS', value: ({ completionTokens }) => completionTokens, numeric: true },
        { title: 'COST', value: (sum) => sum.cost, numeric: true },
      ]),
      fields([['cost of everything', cost]]),
    ].join('\n\n'),
  );
}

function addKeyCommands(program: Command, session: Session): void {
  const keys = group(program, 'keys', 'API keys of the project');
  command<object, [string]>(keys, session, {
    name: 'create <name>',
    summary: 'make a key; it is shown once',
    examples: ['keys create ci', 'keys create ci --json'],
    run: async (current, _options, name) => {
      if (name.trim() === '') throw invalidInput('the command line', [{ path: 'name', message: 'must not be empty' }]);
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
    description:
      'Writes the examples of a dataset as JSONL, in the bytes that its artifact name is the hash of. ID may be its beginning. It writes over nothing.',
    options: [['--out <file>', 'write to this file instead of standard output']],
    examples: ['datasets export 5f1d2c3b9a07 --out data.jsonl'],
    run: async (current, { out }, id) => {
      const stores = current.stores();
      const dataset = await findDataset(stores, current.project, id);
      if (out !== undefined) refuseThere([out]);
      const bytes = await stores.artifacts.get(dataset.artifact);
      if (out === undefined) {
        current.io.out(new TextDecoder().decode(bytes));
        return;
      }
      await writeNew(out, bytes);
      current.print({ file: out, ...dataset.artifact }, () => `${bytes.length} bytes written to ${out}`);
    },
  });
}

/** The dataset of this ID, or whose ID begins so. @throws {ChimeraError} CHIMERA_NOT_FOUND that lists the known ones */
async function findDataset({ datasets, taskTypes }: Stores, project: string, id: string): Promise<DatasetRecord> {
  const whole = await datasets.get(project, id);
  if (whole !== undefined) return whole;
  const types = await taskTypes.list(project);
  const known = (await Promise.all(types.map(({ name }) => datasets.list(project, name)))).flat();
  const found = id === '' ? [] : known.filter((dataset) => dataset.id.startsWith(id));
  if (found.length > 1)
    throw invalidInput('the dataset', [{ path: id, message: `${found.length} datasets begin so; give more digits` }]);
  if (found[0] !== undefined) return found[0];
  const problems = known.map((dataset) => ({ path: short(dataset.id)!, message: `is known, of ${dataset.taskType}` }));
  throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'dataset', name: id, problems });
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
