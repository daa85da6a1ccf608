import type { Command } from 'commander';
import { adapterSpec } from '../../contracts/adapters.ts';
import { invalidInput, type Problem } from '../../contracts/errors.ts';
import { modelName } from '../../contracts/names.ts';
import type { ModelRecord } from '../../contracts/records.ts';
import { CALL_PRICE } from '../../core/training/adapter/variants.ts';
import type { TaskType } from '../../core/validation/task-type.ts';
import type { Format } from '../adapter-files.ts';
import type { Place } from '../base-models.ts';
import { command } from '../command.ts';
import { fields, short } from '../output.ts';
import type { Session } from '../session.ts';
import { untilInterrupted } from '../signals.ts';

const METHODS = ['linear', 'ties'] as const;
/** What the authors of TIES recommend. */
const DENSITY = '0.2';

interface ExportOptions {
  readonly format?: string;
  readonly out?: string;
}

interface ImportOptions {
  readonly base?: string;
  readonly name?: string;
  readonly taskType?: string;
  readonly labels?: string;
  readonly price: string;
}

interface MergeOptions {
  readonly method: string;
  readonly weights?: string;
  readonly density?: string;
  readonly rank?: string;
  readonly name?: string;
}

/** What brings adapters in and out, and makes one of several. */
export function addAdapterCommands(models: Command, session: Session): void {
  command<ExportOptions, [string]>(models, session, {
    name: 'export <model>',
    summary: "write an adapter as other programs' files",
    description:
      'Writes an adapter as the two files that PEFT loads, or the base model with the adapter merged into it: as safetensors with its configuration and tokenizer, or as one GGUF file. MODEL is an ID, the beginning of it, or name@ and eight digits as genomes say. It says in what the files differ from what others expect, and writes over nothing.',
    options: [
      ['--format <format>', 'peft, safetensors or gguf'],
      ['--out <path>', 'folder to write to; for gguf the file'],
    ],
    examples: [
      'models export minilm-lora@5f1d2c3b --format peft --out triage-lora',
      'models export 5f1d2c3b --format safetensors --out triage-model',
      'models export 77aa01ce --format gguf --out triage.gguf',
    ],
    run: exportAdapter,
  });
  command<ImportOptions, [string]>(models, session, {
    name: 'import <folder>',
    summary: 'register an adapter that PEFT has stored',
    description:
      "Reads adapter_config.json and adapter_model.safetensors, checks them against the base model, and registers the adapter for a task type. PEFT does not store a classifier's labels: give them with --labels unless the files come from here. They must be the task type's.",
    options: [
      ['--base <name>', 'base model that it is an adapter of'],
      ['--name <name>', 'name that it gets: small letters, digits and -'],
      ['--task-type <name>', 'task type that it is for'],
      ['--labels <labels>', "labels of a classifier's rows, in their order, with commas between them"],
      ['--price <number>', "price of a call, in units of the cheapest model's", String(CALL_PRICE)],
    ],
    examples: [
      'models import triage-lora --base all-MiniLM-L6-v2 --name triage-lora --task-type mail-triage --labels ham,spam',
    ],
    run: importAdapter,
  });
  command<MergeOptions, [string[]]>(models, session, {
    name: 'merge <models...>',
    summary: 'make one adapter of several of the same base',
    description:
      'Makes one adapter of several of the same base and the same layers: their weighted sum, whose rank is the sum of theirs, or by TIES, which leaves out small and contradicting changes and brings the rest to a rank, with an error that it tells. The result has the task type of the first. Models are named as for "models export".',
    options: [
      ['--method <method>', 'linear or ties', 'linear'],
      ['--weights <numbers>', 'what each weighs, with commas between them (default: all the same, 1 together)'],
      ['--density <number>', `ties: share of each change that is kept (default: ${DENSITY})`],
      [
        '--rank <number>',
        'ties: rank of the result, at most 256 and the size of the layers (default: that of the first)',
      ],
      ['--name <name>', 'name that the result gets: small letters, digits and -'],
    ],
    examples: [
      'models merge minilm-lora@5f1d2c3b minilm-lora@90ab12cd --weights 0.3,0.7 --name blend',
      'models merge 5f1d2c3b 90ab12cd --method ties --density 0.5 --rank 8 --name blend-ties',
    ],
    run: mergeAdapters,
  });
}

const placeOf = (session: Session): Place => ({
  stores: session.stores(),
  project: session.project,
  cacheDir: session.config.cacheDir,
  manifest: session.config.models.manifest,
});

async function exportAdapter(session: Session, { format, out }: ExportOptions, reference: string): Promise<void> {
  // Loaded when asked for, here and below: they bring the readers of weights with them.
  const files = await import('../adapter-files.ts');
  const { findAdapter, locateBase, openTrainedBeside } = await import('../adapters.ts');
  const { decodeAdapter } = await import('../../learning/adapters/file.ts');
  refuse([
    ...required({ '--format': format, '--out': out }),
    ...(format === undefined || files.FORMATS.some((known) => known === format)
      ? []
      : [{ path: '--format', message: `must be ${files.FORMATS.join(', ')}, not ${format}` }]),
  ]);
  const place = placeOf(session);
  const model = await findAdapter(place, reference);
  const adapter = decodeAdapter(await place.stores.artifacts.get(model.artifact));
  const base = (signal: AbortSignal) =>
    locateBase(adapter.base.name, place, { signal, onLine: (line) => session.say(`· ${line}`) });
  const written = await interruptible(async (signal) => {
    switch (format as Format) {
      case 'peft':
        return files.writePeft(adapter, out!);
      case 'safetensors': {
        const location = await base(signal);
        return files.writeSafetensors(adapter, await openTrainedBeside(adapter, location), location, out!);
      }
      case 'gguf': {
        const location = await base(signal);
        return files.writeGguf(adapter, await openTrainedBeside(adapter, location), location, out!);
      }
    }
  });
  session.print({ id: model.id, name: modelName(model), format, ...written }, ({ name }) =>
    [
      ...[`${name} of ${adapter.base.name} is written:`, ...written.files.map((file) => `  ${file}`)],
      ...written.notes.map((note) => `! ${note}`),
    ].join('\n'),
  );
}

async function importAdapter(session: Session, options: ImportOptions, folder: string): Promise<void> {
  const { base: baseName, name, taskType, labels, price } = options;
  const cost = Number(price);
  refuse([
    ...required({ '--base': baseName, '--name': name, '--task-type': taskType }),
    ...nameProblems(name),
    ...(cost > 0 && Number.isFinite(cost)
      ? []
      : [{ path: '--price', message: `must be a number above 0, not ${price}` }]),
  ]);
  const { locateBase, openOwn, registerAdapter } = await import('../adapters.ts');
  const { readPeft } = await import('../adapter-files.ts');
  const place = placeOf(session);
  const type = await place.stores.taskTypes.require<TaskType>(session.project, taskType!);
  const base = await interruptible(async (signal) =>
    openOwn(await locateBase(baseName!, place, { signal, onLine: (line) => session.say(`· ${line}`) })),
  );
  const adapter = await readPeft(folder, base, labels?.split(','));
  refuse(labelProblems(type, adapter.head?.labels));
  const record = await registerAdapter(
    place.stores,
    session.project,
    { name: name!, adapter, taskType: type.name, dataset: '', price: cost, origin: { imported: true }, report: {} },
    { type: 'model.imported', details: { name: name!, base: base.name, baseSha256: base.sha256 } },
  );
  show(session, record, name!);
}

async function mergeAdapters(session: Session, options: MergeOptions, references: string[]): Promise<void> {
  const { method, name } = options;
  const isTies = method === 'ties';
  const weights = (options.weights?.split(',') ?? references.map(() => String(1 / references.length))).map(toNumber);
  refuse([
    ...required({ '--name': name }),
    ...nameProblems(name),
    ...(METHODS.some((known) => known === method)
      ? []
      : [{ path: '--method', message: `must be ${METHODS.join(' or ')}, not ${method}` }]),
    ...(['density', 'rank'] as const)
      .filter((option) => !isTies && options[option] !== undefined)
      .map((option) => ({ path: `--${option}`, message: 'is for --method ties only' })),
    ...(references.length < 2 ? [{ path: 'models', message: 'name two at least' }] : []),
  ]);
  const { findAdapter, registerAdapter } = await import('../adapters.ts');
  const { decodeAdapter } = await import('../../learning/adapters/file.ts');
  const { linearMerge } = await import('../../learning/adapters/linear-merge.ts');
  const { tiesMerge } = await import('../../learning/adapters/ties-merge.ts');
  const place = placeOf(session);
  const { artifacts } = place.stores;
  const parents = await Promise.all(references.map((reference) => findAdapter(place, reference)));
  refuse(namedTwice(parents));
  const adapters = await Promise.all(parents.map(async ({ artifact }) => decodeAdapter(await artifacts.get(artifact))));
  const density = toNumber(options.density ?? DENSITY);
  const rank = options.rank === undefined ? adapters[0]!.rank : toNumber(options.rank);
  const { adapter, error } = isTies
    ? tiesMerge(adapters, weights, { density, rank }, tenthsOfLayers(session))
    : { adapter: linearMerge(adapters, weights), error: 0 };
  const { taskType, dataset } = parents[0]!;
  const merge = { method, weights, parents: parents.map(({ id }) => id), ...(isTies ? { density } : {}) };
  const price = Math.max(...parents.map((parent) => parent.price));
  const record = await registerAdapter(
    place.stores,
    session.project,
    { name: name!, adapter, taskType, dataset, price, origin: { merge }, report: { parents: merge.parents, error } },
    { type: 'model.merged', details: { name: name!, ...merge, error } },
  );
  show(session, record, name!);
}

/** What was registered, or was there already under another name than the one that was asked for. */
function show(session: Session, record: ModelRecord, name: string): void {
  const { id, taskType, spec, report, price } = record;
  if (record.name !== name) session.say(`· the same adapter is there already as ${modelName(record)}`);
  session.print({ ...record, servedName: modelName(record) }, () =>
    fields([
      ['model', id],
      ['asked as', modelName(record)],
      ['adapter of', spec['base']],
      ['task', spec['task']],
      ['task type', taskType],
      ['rank', spec['rank']],
      ['price', price],
      ['merged from', (report['parents'] as string[] | undefined)?.map(short).join(', ')],
      ['error of the rank', report['error']],
    ]),
  );
}

async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupted = untilInterrupted();
  try {
    return await work(interrupted.signal);
  } finally {
    interrupted.release();
  }
}

/** Seconds to minutes of arithmetic: says how far it is whenever another tenth of the layers is done. */
function tenthsOfLayers(session: Session): (done: number, layers: number) => void {
  let said = 0;
  return (done, layers) => {
    const tenth = Math.floor((10 * done) / layers);
    if (done === 0) session.say(`· merges ${layers} layers by TIES`);
    else if (tenth > said) session.say(`· ${done} of ${layers} layers`);
    said = tenth;
  };
}

/** A model that is merged with itself is itself, or what its weights make of it: hardly what somebody wants. */
function namedTwice(parents: readonly ModelRecord[]): Problem[] {
  const ids = parents.map(({ id }) => id);
  const twice = new Set(parents.filter(({ id }, index) => ids.indexOf(id) !== index).map(modelName));
  return [...twice].map((name) => ({ path: 'models', message: `${name} is named more than once` }));
}

const toNumber = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text));

function labelProblems({ name, scorer }: TaskType, own: readonly string[] | undefined): Problem[] {
  if (scorer.kind !== 'label' || own === undefined) return [];
  const { labels } = scorer;
  const differ = labels.length !== own.length || labels.some((label) => !own.includes(label));
  const message = `${own.join(', ')} are not the labels of ${name}: ${labels.join(', ')}`;
  return differ ? [{ path: '--labels', message }] : [];
}

const required = (given: Readonly<Record<string, string | undefined>>): Problem[] =>
  Object.keys(given)
    .filter((path) => given[path] === undefined)
    .map((path) => ({ path, message: 'is required' }));

const nameProblems = (name: string | undefined): Problem[] =>
  name === undefined || adapterSpec.shape.name.safeParse(name).success
    ? []
    : [{ path: '--name', message: `must be small letters, digits and -, beginning with a letter, not ${name}` }];

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw invalidInput('the command line', problems);
}
