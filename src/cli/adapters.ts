import { basename } from 'node:path';
import { ChimeraError, invalidInput } from '../contracts/errors.ts';
import { modelName } from '../contracts/names.ts';
import type { AuditEvent, JsonObject, ModelRecord } from '../contracts/records.ts';
import { encodeAdapter } from '../learning/adapters/file.ts';
import type { Adapter } from '../learning/adapters/types.ts';
import { openLocalBase, otherPrecision, ownPrecision, type BaseLocation } from '../learning/bases.ts';
import type { BaseModel } from '../learning/architecture/base.ts';
import { findModel, loadModels } from '../learning/registry/manifest.ts';
import { fetchModel, type FetchModelOptions } from '../learning/registry/sources.ts';
import type { Stores } from '../stores/index.ts';
import { baseOf, type Place } from './base-models.ts';

/**
 * The adapter that a person means: its ID, the beginning of it, or `name@` and eight digits.
 * @throws {ChimeraError} CHIMERA_NOT_FOUND that lists the known ones; CHIMERA_INVALID_INPUT for a beginning that fits more than one
 */
export async function findAdapter({ stores, project }: Place, reference: string): Promise<ModelRecord> {
  const adapters = (await stores.models.list(project)).filter((model) => baseOf(model) !== undefined);
  const found = adapters.filter((model) => model.id.startsWith(reference) || modelName(model) === reference);
  if (found.length > 1) {
    const message = `${found.length} adapters begin so; give more digits`;
    throw invalidInput('the adapter', [{ path: reference, message }]);
  }
  if (found[0] !== undefined) return found[0];
  const problems = adapters.map((model) => ({ path: modelName(model), message: 'is a known adapter' }));
  throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'adapter', name: reference, problems });
}

/** Where a base model of the manifest lies; fetched where it does not lie here. Throws as {@link fetchModel}, and for an unknown name. */
export async function locateBase(
  name: string,
  { cacheDir, manifest }: Place,
  options: Omit<FetchModelOptions, 'cacheDir'>,
): Promise<BaseLocation> {
  const entry = findModel(loadModels(manifest), name);
  const { directory } = await fetchModel(entry, { ...options, cacheDir });
  return { name, directory, files: entry.files };
}

/** The base in the precision that its file has. */
export async function openOwn(location: BaseLocation): Promise<BaseModel> {
  return (await openLocalBase(location, ownPrecision(location))).base;
}

/**
 * The base that an adapter was trained beside.
 * @throws {ChimeraError} CHIMERA_INVALID_INPUT where the base of this name has other weights, whatever the precision
 */
export async function openTrainedBeside({ base }: Adapter, location: BaseLocation): Promise<BaseModel> {
  const own = await openOwn(location);
  if (own.sha256 === base.sha256) return own;
  const other = (await openLocalBase(location, otherPrecision(own.precision))).base;
  if (other.sha256 === base.sha256) return other;
  const message = `it was trained beside other weights than those of ${basename(location.directory).slice(0, 12)}`;
  throw invalidInput('the adapter', [{ path: `/base/${base.name}`, message }]);
}

export interface NewAdapter {
  readonly name: string;
  readonly adapter: Adapter;
  readonly taskType: string;
  /** Empty where nobody knows it. */
  readonly dataset: string;
  readonly price: number;
  /** What its specification says of where it comes from. */
  readonly origin: JsonObject;
  readonly report: JsonObject;
}

/**
 * Stores an adapter and registers it with the project; the audit event enters with the record. The same content is one model: where
 * it is there already, maybe under another name, that one is returned and nothing changes.
 * @throws {ChimeraError} CHIMERA_INVALID_INPUT where it is there for another task type
 */
export async function registerAdapter(
  { models, artifacts }: Stores,
  project: string,
  { name, adapter, taskType, dataset, price, origin, report }: NewAdapter,
  audit: Pick<AuditEvent, 'type' | 'details'>,
): Promise<ModelRecord> {
  const artifact = await artifacts.put(encodeAdapter(adapter), { kind: 'model' });
  const { base, task, rank, alpha, rankStabilised, targets, maxTokens } = adapter;
  const spec: JsonObject = {
    ...{ kind: 'adapter', name, base: base.name, task, rank, alpha, rankStabilised },
    targets: targets.map(({ module }) => module),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...origin,
  };
  const id = artifact.sha256;
  const record = await models.put(
    project,
    { id, name, taskType, artifact, price, dataset, spec, report: { baseSha256: base.sha256, ...report } },
    { actor: 'cli', subject: id, ...audit },
  );
  if (record.taskType === taskType) return record;
  const message = `is the same adapter, for the task type ${record.taskType}; it cannot be there for ${taskType} as well`;
  throw invalidInput('the adapter', [{ path: modelName(record), message }]);
}
