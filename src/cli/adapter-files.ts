import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { invalidInput, type Problem } from '../contracts/errors.ts';
import { adapterProblems, fitProblems } from '../learning/adapters/check.ts';
import { exportGguf, exportSafetensors } from '../learning/adapters/export.ts';
import { readPeftFiles, writePeftFiles } from '../learning/adapters/peft.ts';
import type { Adapter } from '../learning/adapters/types.ts';
import type { BaseModel } from '../learning/architecture/base.ts';
import { isGguf, type BaseLocation } from '../learning/bases.ts';
import { HUB_CONFIG } from '../learning/registry/manifest.ts';
import { openModel } from '../learning/registry/open.ts';
import { readBytes } from '../learning/weights/bytes.ts';
import { readGgufHead } from '../learning/weights/gguf.ts';
import { naming, refuseThere, writeNew } from './file-errors.ts';

export const FORMATS = ['peft', 'safetensors', 'gguf'] as const;
export type Format = (typeof FORMATS)[number];

export interface Written {
  readonly files: readonly string[];
  /** In what the files differ from what other programs expect. */
  readonly notes: readonly string[];
}

const PEFT_FILES = ['adapter_config.json', 'adapter_model.safetensors'];
const MEAN_POOLING =
  "the head reads the mean of all tokens' outputs: a BertForSequenceClassification needs its pooler replaced by that mean to give the same answers";

/** Writes the two files that PEFT loads into a folder. @throws {ChimeraError} CHIMERA_INVALID_INPUT where one is there already */
export async function writePeft(adapter: Adapter, folder: string): Promise<Written> {
  const files = await write(folder, writePeftFiles(adapter), []);
  const notes = [
    `adapter_config.json names the base by its name here, ${adapter.base.name}: load it onto a model that you opened yourself`,
    ...(adapter.head === undefined ? [] : [MEAN_POOLING]),
  ];
  return { files, notes };
}

/**
 * Writes the base with the adapter merged into it: a checkpoint with its configuration and tokenizer.
 * @throws {ChimeraError} CHIMERA_INVALID_INPUT where a file is there already, or the adapter does not fit
 */
export async function writeSafetensors(
  adapter: Adapter,
  base: BaseModel,
  location: BaseLocation,
  folder: string,
): Promise<Written> {
  const { directory, files } = location;
  const { weights } = await openModel(directory, files);
  const { head } = adapter;
  const made = new Map<string, Uint8Array>([['model.safetensors', exportSafetensors(weights, adapter)]]);
  const beside = isGguf(location) ? [] : files.slice(1).map(({ name }) => name);
  if (head !== undefined) {
    const config = JSON.parse(await readFile(join(directory, HUB_CONFIG), 'utf8')) as object;
    made.set(HUB_CONFIG, new TextEncoder().encode(`${JSON.stringify(withLabels(config, head.labels), null, 2)}\n`));
  }
  const copied = beside.filter((name) => !made.has(name)).map((name) => join(directory, name));
  return {
    files: await write(folder, made, copied),
    notes: [
      ...precisionNotes(base, location),
      ...(isGguf(location)
        ? [
            `${location.name} is a GGUF file, which has no ${HUB_CONFIG} and no tokenizer.json: other programs need them`,
          ]
        : []),
      ...(head === undefined ? [] : [MEAN_POOLING]),
    ],
  };
}

/**
 * Writes the base with the adapter merged into it as one GGUF file.
 * @throws {ChimeraError} CHIMERA_INVALID_INPUT where the file is there already, or the base is no decoder in GGUF
 */
export async function writeGguf(
  adapter: Adapter,
  base: BaseModel,
  location: BaseLocation,
  file: string,
): Promise<Written> {
  const { name, directory, files } = location;
  const { weights, config } = await openModel(directory, files);
  if (config.family !== 'decoder' || !isGguf(location)) {
    const message = `${name} is not a decoder in a GGUF file, from which the tokenizer would come; safetensors can hold it`;
    throw invalidInput('the command line', [{ path: '--format', message }]);
  }
  const { metadata } = await readGgufHead(join(directory, files[0]!.name), files[0]!.name);
  const bytes = exportGguf(weights, config, metadata, adapter);
  await writeNew(file, bytes);
  const merged =
    'layers with an update are in single precision, so that nothing of it is lost; all others are as before';
  return { files: [file], notes: [...precisionNotes(base, location), merged] };
}

const withLabels = (config: object, labels: readonly string[]): object => ({
  ...config,
  architectures: ['BertForSequenceClassification'],
  id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
  label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
});

/** The export has the base as its file has it. */
const precisionNotes = ({ precision }: BaseModel, location: BaseLocation): string[] =>
  precision === '4bit' && !isGguf(location)
    ? [
        'it was trained beside the base in 4 bits, and is merged into the base in single precision: answers differ a little',
      ]
    : [];

async function write(folder: string, made: ReadonlyMap<string, Uint8Array>, copied: string[]): Promise<string[]> {
  const targetOf = (path: string): string => join(folder, basename(path));
  const files = [...made.keys(), ...copied].map(targetOf);
  refuseThere(files);
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of made) await writeFile(join(folder, name), bytes, { flag: 'wx' });
  for (const path of copied) await copyFile(path, targetOf(path), constants.COPYFILE_EXCL);
  return files;
}

/**
 * Reads the two files of PEFT in a folder as an adapter of a base.
 * @param labels of the head's rows, where the files do not name them
 * @throws {ChimeraError} CHIMERA_INVALID_INPUT that names the missing files, or everything in which it does not fit the base
 */
export async function readPeft(folder: string, base: BaseModel, labels?: readonly string[]): Promise<Adapter> {
  const missing = PEFT_FILES.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0)
    throw invalidInput(
      `the folder ${folder}`,
      missing.map((path) => ({ path, message: 'is missing' })),
    );
  const [config, weights] = await Promise.all(
    PEFT_FILES.map((name) => join(folder, name)).map((path) => naming(path, () => readBytes(path))),
  );
  const { name, sha256 } = base;
  const read = readPeftFiles(config!, weights!, { name, sha256 });
  const { head } = read;
  const adapter = head === undefined || labels === undefined ? read : { ...read, head: { ...head, labels } };
  const problems: Problem[] = [...adapterProblems(adapter), ...fitProblems(adapter, base.config)];
  if (base.config.family === 'encoder' && head === undefined)
    problems.push({ path: '/head', message: 'without a classifier it has no answers: only SEQ_CLS is of use here' });
  if (base.config.family === 'encoder' && adapter.task !== 'classification')
    problems.push({ path: '/task_type', message: `the base is an encoder, and CAUSAL_LM needs a decoder` });
  if (base.config.family === 'decoder' && adapter.task === 'classification')
    problems.push({ path: '/task_type', message: 'the base is a decoder, which needs CAUSAL_LM' });
  if (head === undefined && labels !== undefined)
    problems.push({ path: '--labels', message: 'there is no classifier whose labels these would be' });
  if (problems.length > 0) throw invalidInput(`the adapter in ${folder}`, problems);
  return adapter;
}
