import { ChimeraError, isChimeraError, type Problem } from '../contracts/errors.ts';
import type { JsonObject, ModelRecord } from '../contracts/records.ts';
import { checkFiles, isDownloaded, modelDirectory } from '../learning/registry/cache.ts';
import { findModel, loadModels, versionOf, type ModelEntry, type ModelFile } from '../learning/registry/manifest.ts';
import { openModel } from '../learning/registry/open.ts';
import { fetchModel, type FetchModelOptions } from '../learning/registry/sources.ts';
import type { BaseModelRecord, Stores } from '../stores/index.ts';

/** A version of a base model: of the manifest, of the project's registry, or of both. */
export interface KnownVersion {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** The weights first. */
  readonly files: readonly ModelFile[];
  /** Where its files lie, or would. */
  readonly directory: string;
  readonly downloaded: boolean;
  /** What the manifest says of it; absent where the manifest names another version by now, or none. */
  readonly entry?: ModelEntry;
  /** What the project knows of it; absent where it was never pulled. */
  readonly record?: BaseModelRecord;
}

export interface Place {
  readonly stores: Stores;
  readonly project: string;
  readonly cacheDir: string;
  /** The user's own manifest. */
  readonly manifest: string | undefined;
}

/** Every version that the manifest or the project knows, the manifest's models first, versions of a name oldest first. */
export async function knownVersions({ stores, project, cacheDir, manifest }: Place): Promise<KnownVersion[]> {
  const entries = loadModels(manifest);
  const records = await stores.baseModels.list(project);
  const names = [...new Set([...entries, ...records].map(({ name }) => name))];
  return names.flatMap((name) => {
    const entry = entries.find((model) => model.name === name);
    const own = records.filter((record) => record.name === name);
    const versions = new Set(own.map(({ version }) => version));
    if (entry !== undefined) versions.add(versionOf(entry));
    return [...versions].map((version): KnownVersion => {
      const record = own.find((found) => found.version === version);
      const current = entry !== undefined && versionOf(entry) === version ? entry : undefined;
      const { licence, files } = (current ?? record)!;
      const directory = modelDirectory(cacheDir, name, version);
      return {
        ...{ name, version, licence, files, directory, downloaded: isDownloaded(directory, files) },
        ...(current === undefined ? {} : { entry: current }),
        ...(record === undefined ? {} : { record }),
      };
    });
  });
}

/** The known versions of one name, or `CHIMERA_NOT_FOUND` that lists the known names. */
export async function versionsOf(place: Place, name: string): Promise<KnownVersion[]> {
  const known = await knownVersions(place);
  const versions = known.filter((version) => version.name === name);
  if (versions.length > 0) return versions;
  const names = [...new Set(known.map((version) => version.name))];
  const problems = names.map((path) => ({ path, message: 'is a known base model' }));
  throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'base model', name, problems });
}

/** What is wrong with the files of a version, each hashed again and the weights opened. */
export async function checkVersion({ directory, files }: KnownVersion): Promise<readonly Problem[]> {
  const problems = await checkFiles(directory, files);
  if (problems.length > 0) return problems;
  try {
    await openModel(directory, files);
    return [];
  } catch (error) {
    if (!isChimeraError(error, 'CHIMERA_INVALID_INPUT')) throw error;
    return error.details.problems ?? [];
  }
}

export interface PullOptions extends Omit<FetchModelOptions, 'cacheDir'> {
  /** How many versions stay beside the active one. */
  readonly keep: number;
}

export interface Pulled {
  readonly record: BaseModelRecord;
  readonly directory: string;
  readonly retired: readonly string[];
}

/**
 * Brings the files of a base model of the manifest here, opens them, and registers the version with the project: as the active one
 * where it is the first. Nothing is registered that was not whole and readable.
 */
export async function pullModel(
  name: string,
  { stores, project, cacheDir, manifest }: Place,
  { keep, ...options }: PullOptions,
): Promise<Pulled> {
  const entry = findModel(loadModels(manifest), name);
  const version = versionOf(entry);
  // Before a hundred megabytes come that could not be registered.
  const known = await stores.baseModels.get(project, name, version);
  const { directory, source } = await fetchModel(entry, { ...options, cacheDir });
  const { config } = await openModel(directory, entry.files);
  const record = await stores.baseModels.put(
    project,
    {
      ...{ name, version, licence: entry.licence, files: entry.files },
      config: config as unknown as JsonObject,
      source: source === 'cache' && known !== undefined ? known.source : source,
      ...(known?.converted === undefined ? {} : { converted: known.converted }),
    },
    'cli',
  );
  const retired = await stores.baseModels.keep(project, name, keep, 'cli');
  return { record, directory, retired: retired.map((old) => old.version) };
}

/** The base model that a trained model is an adapter of; undefined for one that stands alone. */
export function baseOf({ spec }: ModelRecord): string | undefined {
  return spec['kind'] === 'adapter' && typeof spec['base'] === 'string' ? spec['base'] : undefined;
}
