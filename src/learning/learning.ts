import { ADAPTER_MAGIC, decodeAdapter } from './adapters/file.ts';
import type { ModelHost } from '../fabric/index.ts';
import type { BaseLocation } from './bases.ts';
import { startInference, type RunningInference } from './inference/host.ts';
import { modelDirectory, isDownloaded } from './registry/cache.ts';
import { findModel, versionOf, type ModelEntry } from './registry/manifest.ts';
import { fetchModel, type FetchModelOptions } from './registry/sources.ts';

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
  /** Where it lies; fetched where it does not. */
  locate(base: string, options?: Pick<FetchModelOptions, 'signal' | 'onProgress'>): Promise<BaseLocation>;
  readonly inference: RunningInference;
  /**
   * What a model says to each text: a classifier, by the SHA-256 of its adapter, the probability of each label; a base model, by
   * that of its weights, no labels and the embedding.
   */
  ask(model: string, texts: readonly string[], signal?: AbortSignal): Promise<LabelledScores[]>;
  /** The base models that can be asked so. */
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
  const locate: Learning['locate'] = async (base, options = {}) => {
    const entry = findModel(models, base);
    const { directory } = await fetchModel(entry, { cacheDir, onLine, ...options });
    return { name: base, directory, files: entry.files.map(({ name }) => ({ name })) };
  };
  const inference = startInference({ locate, loadAdapter: resolve, activations });
  return {
    has: (base) => {
      const entry = models.find(({ name }) => name === base);
      return entry !== undefined && isDownloaded(modelDirectory(cacheDir, base, versionOf(entry)), entry.files);
    },
    locate,
    inference,
    encoders: new Set(models.map(versionOf)),
    ask: async (adapter, texts, signal) => {
      const entry = models.find((model) => versionOf(model) === adapter);
      const cancellable = signal === undefined ? {} : { signal };
      if (entry !== undefined) {
        const { vectors } = await inference.embed({ model: { base: entry.name }, texts, ...cancellable });
        return vectors.map((vector) => ({ labels: [], scores: [...vector] }));
      }
      const model = { base: await baseOf(adapter), adapter };
      const answer = await inference.classify({ model, texts, ...cancellable });
      return answer.scores.map((scores) => ({ labels: answer.labels, scores: [...scores] }));
    },
    close: () => inference.close(),
  };
}
