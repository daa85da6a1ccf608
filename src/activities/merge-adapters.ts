import type { AdapterSpec } from '../contracts/adapters.ts';
import { isChimeraError } from '../contracts/errors.ts';
import type { JsonObject, ModelRecord } from '../contracts/records.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import { mergeName, type MergeMethod } from '../core/training/adapter/variants.ts';
import { decodeAdapter, encodeAdapter } from '../learning/adapters/file.ts';
import { linearMerge } from '../learning/adapters/linear-merge.ts';
import { tiesMergeFiles, type MergedFile } from '../learning/adapters/merge-host.ts';
import type { Stores } from '../stores/index.ts';
import type { ActivityDeps } from './deps.ts';
import { givesLabels, isAdapterSpec, validated } from './model-scores.ts';
import type { LeftOut, Material, RunHooks, TrainedModel } from './training-types.ts';

/** What the old and the new adapter weigh. */
const WEIGHTS = [0.5, 0.5];
/** Share of an update that TIES keeps: what its authors recommend. */
const DENSITY = 0.2;

/** The classifier's adapter of this name that was trained last on another dataset than this one; undefined where there is none. */
export async function adapterBefore(
  { models }: Stores,
  project: string,
  taskType: string,
  name: string,
  datasetId?: string,
): Promise<ModelRecord | undefined> {
  const all = await models.list(project, { taskType });
  return all.findLast(
    ({ name: own, spec, dataset }) => own === name && isAdapterSpec(spec) && givesLabels(spec) && dataset !== datasetId,
  );
}

/** Merges an adapter that was trained on this dataset with the one before it, or says why the two cannot be merged. */
export async function mergeWithPrevious(
  deps: Pick<ActivityDeps, 'stores' | 'learning'>,
  project: string,
  material: Material,
  { spec, method }: { spec: AdapterSpec; method: MergeMethod },
  { signal, note }: RunHooks,
): Promise<TrainedModel | LeftOut> {
  const { stores } = deps;
  const { type, datasetId } = material;
  const trained = await stores.models.list(project, { taskType: type.name, dataset: datasetId });
  const own = trained.findLast(({ name }) => name === spec.name);
  const before = await adapterBefore(stores, project, type.name, spec.name, datasetId);
  if (own === undefined || before === undefined) return { leftOut: `there is no adapter ${spec.name} before this one` };
  note({ merging: [before.id, own.id], method });
  const files = await Promise.all([before, own].map(({ artifact }) => stores.artifacts.get(artifact)));
  // The one before may be of other labels, layers or weights of its base: the task type or the specification has changed.
  const made = await merged(method, files, spec.rank).catch((error: unknown) => {
    if (isChimeraError(error, 'CHIMERA_INVALID_INPUT')) return { leftOut: error.message };
    throw error;
  });
  if ('leftOut' in made) return made;
  const { bytes, error } = made;
  const artifact = await stores.artifacts.put(bytes, { kind: 'model' });
  const parents = [before.id, own.id];
  const document = { ...spec, name: mergeName(spec.name, method), merge: { method, parents, weights: WEIGHTS } };
  const validation = await validated(deps, material, { artifact, spec: document as unknown as JsonObject }, signal);
  return {
    run: hashOf({ datasetId, parents, method }).slice(0, 32),
    artifact,
    spec: document as unknown as JsonObject,
    validation,
    report: { validation, parents, error },
  };
}

async function merged(method: MergeMethod, files: readonly Uint8Array[], rank: number): Promise<MergedFile> {
  switch (method) {
    case 'linear':
      return { bytes: encodeAdapter(linearMerge(files.map(decodeAdapter), WEIGHTS)), error: 0 };
    case 'ties':
      return tiesMergeFiles({ adapters: files, weights: WEIGHTS, density: DENSITY, rank });
  }
}
