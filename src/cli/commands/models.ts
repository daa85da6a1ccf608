import type { Command } from 'commander';
import { invalidInput } from '../../contracts/errors.ts';
import type { BaseModelRecord } from '../../stores/index.ts';
import type { KnownVersion, Place } from '../base-models.ts';
import { command, group } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { wholeNumber } from '../input.ts';
import { fields, short, table } from '../output.ts';
import type { Session } from '../session.ts';
import { untilInterrupted } from '../signals.ts';
import { addAdapterCommands } from './adapters.ts';

const KEPT = 3;

export function addModelCommands(program: Command, session: Session): void {
  const models = group(program, 'models', 'base models, and what is trained on data or on them');
  command<{ taskType?: string }, []>(models, session, {
    name: 'list',
    summary: 'base models with their state, and trained models',
    description:
      'Base models that the manifest or the project knows, whether their files are on this machine, and which version is active; then the models that were trained here, with their data and their price.',
    options: [['--task-type <name>', 'trained models of this task type only']],
    examples: ['models list', 'models list --task-type mail-triage', 'models list --json'],
    run: list,
  });
  command<{ keep?: string }, [string]>(models, session, {
    name: 'pull <name>',
    summary: 'download a base model, check it and register it',
    description:
      'Downloads the files of a base model from the first source of the manifest that has them, goes on where an earlier download ended, and checks every file against its pinned hash. The first version of a name becomes the active one; later ones wait for "models activate".',
    options: [['--keep <number>', 'retire all but so many versions, never the active one', String(KEPT)]],
    examples: ['models pull all-MiniLM-L6-v2', 'models pull mine --models-manifest my-models.json'],
    run: pull,
  });
  command<object, [string?]>(models, session, {
    name: 'verify [name]',
    summary: 'hash the files of base models again, and open them',
    description:
      'Hashes the files of base models on this machine again and opens their weights: every tensor must be there, in its shape. Exits with 1 when something is wrong; "models pull" mends it.',
    examples: ['models verify', 'models verify all-MiniLM-L6-v2 --json'],
    run: verify,
  });
  command<object, [string]>(models, session, {
    name: 'show <name>',
    summary: 'a base model: licence, shapes, files, source, versions, adapters',
    examples: ['models show all-MiniLM-L6-v2', 'models show SmolLM2-135M-Instruct --json'],
    run: show,
  });
  command<object, [string, string]>(models, session, {
    name: 'activate <name> <version>',
    summary: 'let a version of a base model be the one that is used',
    description: 'Lets a version of a base model be the one that is used. VERSION may be its beginning.',
    examples: ['models activate all-MiniLM-L6-v2 53aa51172d14'],
    run: async (current, _options, name, version) => {
      const { baseModels } = current.stores();
      const full = await fullVersion(current, name, version);
      current.print(await baseModels.activate(current.project, name, full, 'cli'), activeText);
    },
  });
  command<object, [string]>(models, session, {
    name: 'rollback <name>',
    summary: 'go back to the version of a base model that was active before',
    examples: ['models rollback all-MiniLM-L6-v2'],
    run: async (current, _options, name) => {
      current.print(await current.stores().baseModels.rollback(current.project, name, 'cli'), activeText);
    },
  });
  addAdapterCommands(models, session);
}

const activeText = ({ name, version }: BaseModelRecord): string => `${name}: version ${short(version)} is active`;

const placeOf = (session: Session): Place => ({
  stores: session.stores(),
  project: session.project,
  cacheDir: session.config.cacheDir,
  manifest: session.config.models.manifest,
});

async function list(session: Session, { taskType }: { taskType?: string }): Promise<void> {
  // Loaded when asked for, here and below: it brings the readers of weights with it.
  const { knownVersions, baseOf } = await import('../base-models.ts');
  const base = await knownVersions(placeOf(session));
  const trained = await session.stores().models.list(session.project, taskType === undefined ? {} : { taskType });
  session.print({ base: base.map(versionData), trained }, () =>
    [
      table(base, [
        { title: 'BASE MODEL', value: ({ name }) => name },
        { title: 'VERSION', value: ({ version }) => short(version) },
        { title: 'STATE', value: stateOf },
        { title: 'LICENCE', value: ({ licence }) => licence },
        { title: 'BYTES', value: bytesOf, numeric: true },
      ]),
      table(trained, [
        { title: 'MODEL', value: ({ id }) => short(id) },
        { title: 'NAME', value: ({ name }) => name },
        { title: 'ADAPTER OF', value: baseOf },
        { title: 'TASK TYPE', value: (model) => model.taskType },
        { title: 'DATASET', value: ({ dataset }) => short(dataset) || undefined },
        { title: 'PRICE', value: ({ price }) => price, numeric: true },
        { title: 'BYTES', value: ({ artifact }) => artifact.bytes, numeric: true },
      ]),
    ].join('\n\n'),
  );
}

/** A version as scripts read it. */
const versionData = (known: KnownVersion): object => {
  const { name, version, licence, files, directory, record } = known;
  return { name, version, state: stateOf(known), licence, files, directory, source: record?.source };
};

function stateOf({ downloaded, record }: KnownVersion): string {
  if (!downloaded) return record?.state === 'active' ? 'active, absent here' : 'absent';
  return record === undefined || record.state === 'available' ? 'downloaded' : record.state;
}

const bytesOf = ({ files }: Pick<KnownVersion, 'files'>): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

async function pull(session: Session, { keep }: { keep?: string }, name: string): Promise<void> {
  const count = wholeNumber('--keep', keep, KEPT);
  const { pullModel } = await import('../base-models.ts');
  const interrupted = untilInterrupted();
  try {
    const pulled = await pullModel(name, placeOf(session), {
      keep: count,
      onLine: (line) => session.say(`· ${line}`),
      onProgress: tenths((line) => session.say(`· ${name} ${line}`)),
      signal: interrupted.signal,
    });
    session.print({ ...pulled.record, directory: pulled.directory, retired: pulled.retired }, () =>
      fields([
        ['model', name],
        ['version', pulled.record.version],
        ['state', pulled.record.state],
        ['licence', pulled.record.licence],
        ['from', pulled.record.source],
        ['directory', pulled.directory],
        ['retired', pulled.retired.length === 0 ? undefined : pulled.retired.map(short).join(', ')],
      ]),
    );
  } finally {
    interrupted.release();
  }
}

/** Says how much there is whenever another tenth has come. */
function tenths(say: (line: string) => void): (bytes: number, total: number) => void {
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
  let said = 0;
  return (bytes, total) => {
    const tenth = Math.floor((10 * bytes) / total);
    if (tenth <= said) return;
    said = tenth;
    say(`${String(10 * tenth).padStart(3)}%  ${megabytes(bytes)} of ${megabytes(total)} MB`);
  };
}

async function verify(session: Session, _options: object, name?: string): Promise<ExitCode | void> {
  const { checkVersion, knownVersions, versionsOf } = await import('../base-models.ts');
  const place = placeOf(session);
  const versions =
    name === undefined
      ? (await knownVersions(place)).filter(({ downloaded }) => downloaded)
      : await versionsOf(place, name);
  const checks = [];
  for (const known of versions) {
    const problems = await checkVersion(known);
    checks.push({ name: known.name, version: known.version, ok: problems.length === 0, problems });
  }
  session.print(checks, (rows) =>
    rows.length === 0
      ? 'no base model is on this machine'
      : rows
          .flatMap(({ ok, problems, ...row }) => [
            `${ok ? '✓' : '✗'} ${row.name} ${short(row.version)}`,
            ...problems.map(({ path, message }) => `  ${path}: ${message}`),
          ])
          .join('\n'),
  );
  return checks.every(({ ok }) => ok) ? undefined : EXIT.failed;
}

async function show(session: Session, _options: object, name: string): Promise<void> {
  const { baseOf, versionsOf } = await import('../base-models.ts');
  const versions = await versionsOf(placeOf(session), name);
  const adapters = (await session.stores().models.list(session.project)).filter((model) => baseOf(model) === name);
  const current = versions.find(({ record }) => record?.state === 'active') ?? versions.at(-1)!;
  const entry = versions.find((known) => known.entry !== undefined)?.entry;
  const data = {
    ...versionData(current),
    description: entry?.description,
    home: entry?.home,
    config: current.record?.config,
    sources: entry?.sources,
    versions: versions.map(versionData),
    adapters,
  };
  session.print(data, () =>
    [
      fields([
        ['model', name],
        ['version', current.version],
        ['state', stateOf(current)],
        ['licence', current.licence],
        ['about', entry?.description],
        ['home', entry?.home],
        ...Object.entries(current.record?.config ?? {}).map(([member, value]) => [`  ${member}`, value] as const),
        ['from', current.record?.source],
        ['directory', current.directory],
      ]),
      table(
        [...current.files, ...(current.record?.converted ?? [])],
        [
          { title: 'FILE', value: (file) => file.name },
          { title: 'BYTES', value: ({ bytes }) => bytes, numeric: true },
          { title: 'SHA-256', value: ({ sha256 }) => sha256 },
        ],
      ),
      table(versions, [
        { title: 'VERSION', value: ({ version }) => short(version) },
        { title: 'STATE', value: stateOf },
        { title: 'FROM', value: ({ record }) => record?.source },
      ]),
      table(adapters, [
        { title: 'ADAPTER', value: ({ id }) => short(id) },
        { title: 'NAME', value: (adapter) => adapter.name },
        { title: 'TASK TYPE', value: ({ taskType }) => taskType },
      ]),
    ].join('\n\n'),
  );
}

/** The version that somebody means by its beginning; what nobody knows is left as it is. */
async function fullVersion(session: Session, name: string, beginning: string): Promise<string> {
  const versions = await session.stores().baseModels.list(session.project, name);
  const found = versions.filter(({ version }) => version.startsWith(beginning));
  if (found.length > 1)
    throw invalidInput('the version', [
      { path: beginning, message: `${found.length} versions begin so; give more digits` },
    ]);
  return found[0]?.version ?? beginning;
}
