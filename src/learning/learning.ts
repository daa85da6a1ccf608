import { ADAPTER_MAGIC, decodeAdapter } from './adapters/file.ts';
import type { ModelHost } from '../fabric/index.ts';
import { ChimeraError } from '../contracts/errors.ts';
import { holdsBase } from './architecture/base-files.ts';
import type { BaseLocation, WhichBase } from './bases.ts';
import { startInference, type RunningInference } from './inference/host.ts';
import { modelDirectory, isDownloaded } from './registry/cache.ts';
import { findModel, versionOf, type ModelEntry } from './registry/manifest.ts';
import { fetchModel, type FetchModelOptions } from './registry/sources.ts';
import { versionsHere, type VersionHere } from './registry/versions.ts';

export interface LearningOptions {
  readonly cacheDir: string;
  /** The base models that can be had. */
  readonly models: readonly ModelEntry[];
  /** The bytes of an adapter by SHA-256. */
  readonly resolve: (sha256: string) => Promise<Uint8Array>;
  readonly onLine?: (line: string) => void;
  /** What is multiplied with 4-bit weights; default `exact`. */
  readonly activations?: 'exact' | '8bit';
}

export interface LabelledScores {
  readonly labels: readonly string[];
  readonly scores: readonly number[];
}

/** What a process needs to train and to ask models. Nothing is downloaded or started before it is asked for. */
export interface Learning {
  /** Is the base model on this machine? */
  has(base: string): boolean;
  /**
   * Where it lies; fetched where it does not, if it is the manifest's version. Its files are hashed once in a process.
   * @throws `CHIMERA_MODEL_UNAVAILABLE` for another version that is not on this machine
   */
  locate(base: string, options?: WhichBase & Pick<FetchModelOptions, 'signal' | 'onProgress'>): Promise<BaseLocation>;
  readonly inference: RunningInference;
  /**
   * What a model says to each text: a classifier, by the SHA-256 of its adapter, the probability of each label; a base model, by
   * that of its weights, no labels and the embedding. It is a function of model and text, to the last bit.
   */
  ask(model: string, texts: readonly string[], signal?: AbortSignal): Promise<LabelledScores[]>;
  /** The versions of base models that can be asked so: the manifest's, and those that were on this machine when this was opened. */
  readonly encoders: ReadonlySet<string>;
  close(): Promise<void>;
}

/** The models that a fabric's host asks for its sandboxes. */
export const hostOf = ({ encoders, ask }: Pick<Learning, 'encoders' | 'ask'>): ModelHost => ({
  isHosted: isAdapterFile,
  encoders,
  ask,
});

/** Are these the bytes of an adapter? Then a model has to be asked where its base is. */
const isAdapterFile = (bytes: Uint8Array): boolean =>
  new TextDecoder('latin1').decode(bytes.subarray(0, ADAPTER_MAGIC.length)) === ADAPTER_MAGIC;

export function openLearning({
  cacheDir,
  models,
  resolve,
  onLine = () => {},
  activations = 'exact',
}: LearningOptions): Learning {
  const bases = new Map<string, Promise<string>>();
  const baseOf = (adapter: string): Promise<string> => {
    const known = bases.get(adapter) ?? resolve(adapter).then((bytes) => decodeAdapter(bytes).base.name);
    bases.set(adapter, known);
    known.catch(() => bases.delete(adapter));
    return known;
  };
  const fetched = new Map<string, BaseLocation>();
  const ofManifest = async (
    base: string,
    options: Pick<FetchModelOptions, 'signal' | 'onProgress'>,
  ): Promise<BaseLocation> => {
    const known = fetched.get(base);
    if (known !== undefined) return known;
    const entry = findModel(models, base);
    const { directory } = await fetchModel(entry, { cacheDir, onLine, ...options });
    const location = { name: base, directory, files: entry.files.map(({ name }) => ({ name })) };
    fetched.set(base, location);
    return location;
  };
  const locate: Learning['locate'] = async (base, { version, weights, ...options } = {}) => {
    const entry = models.find(({ name }) => name === base);
    const isWanted = async (here: VersionHere): Promise<boolean> =>
      weights === undefined ? here.version === version : holdsBase(here.directory, weights);
    const anyVersion = weights === undefined && version === undefined;
    if (anyVersion || (entry !== undefined && version === versionOf(entry))) return ofManifest(base, options);
    for (const here of versionsHere(cacheDir, base)) if (await isWanted(here)) return here;
    // Whatever the adapter was trained beside, it has not been opened here yet: most likely it is this one.
    if (version === undefined) return ofManifest(base, options);
    const others = entry === undefined ? 'does not name this model' : `names version ${versionOf(entry)}`;
    const message = `version ${version} is not on this machine, and the manifest ${others}`;
    throw new ChimeraError('CHIMERA_MODEL_UNAVAILABLE', { model: base, problems: [{ path: base, message }] });
  };
  const encoders = new Map([
    ...versionsHere(cacheDir).map(({ version, name }) => [version, name] as const),
    ...models.map((entry) => [versionOf(entry), entry.name] as const),
  ]);
  const inference = startInference({ locate, loadAdapter: resolve, activations });
  return {
    has: (base) => {
      const entry = models.find(({ name }) => name === base);
      return entry !== undefined && isDownloaded(modelDirectory(cacheDir, base, versionOf(entry)), entry.files);
    },
    locate,
    inference,
    encoders: new Set(encoders.keys()),
    ask: async (adapter, texts, signal) => {
      const base = encoders.get(adapter);
      const request = { texts, alone: true, ...(signal === undefined ? {} : { signal }) };
      if (base !== undefined) {
        const { vectors } = await inference.embed({ model: { base, version: adapter }, ...request });
        return vectors.map((vector) => ({ labels: [], scores: [...vector] }));
      }
      const model = { base: await baseOf(adapter), adapter };
      const answer = await inference.classify({ model, ...request });
      return answer.scores.map((scores) => ({ labels: answer.labels, scores: [...scores] }));
    },
    close: () => inference.close(),
  };
}
