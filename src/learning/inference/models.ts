import { invalidInput } from '../../contracts/errors.ts';
import { LruMap } from '../../fabric/lru.ts';
import type { Adapter } from '../adapters/types.ts';
import type { BaseModel } from '../architecture/base.ts';
import { servingDecoder, type CacheNames } from '../architecture/decoder-serving.ts';
import { servingEncoder } from '../architecture/encoder-serving.ts';
import type { UpdateLayout } from '../architecture/update-inputs.ts';
import type { LocalBase, WhichBase } from '../bases.ts';
import type { GraphModel } from '../onnx/types.ts';
import type { Provider } from '../runtime/provider.ts';
import { openSession, type Session } from '../runtime/session.ts';
import { adapterBytes, serveAdapter, type ServedAdapter } from './served-adapter.ts';
import type { ModelChoice } from './types.ts';

export interface ModelOptions {
  /**
   * A base by its name.
   * @throws `CHIMERA_NOT_FOUND` where there is none of this name
   */
  readonly openBase: (name: string, which: WhichBase) => Promise<LocalBase>;
  /** @throws `CHIMERA_NOT_FOUND` where there is none of this name */
  readonly loadAdapter: (sha256: string) => Promise<Adapter>;
  /** What the weights in open sessions may take together. One session is open whatever it takes. */
  readonly memoryBytes: number;
  /** What adapters that are kept ready may take together. The last one is kept whatever it takes. */
  readonly adapterBytes: number;
  readonly threads: number;
  readonly provider: Provider;
  /** Products with 4-bit matrices: of the values as they are, or rounded to 8 bits in blocks, as llama.cpp does. */
  readonly activations: 'exact' | '8bit';
}

/** A model that is chosen: a base, an adapter of it where one was named. */
export interface Chosen extends LocalBase {
  readonly adapter?: ServedAdapter;
}

export interface OpenModel {
  readonly session: Session;
  /** Of a decoder. */
  readonly caches: readonly CacheNames[];
}

/** The models of an engine: adapters that are kept ready, sessions within a budget. */
export class Models {
  readonly #options: ModelOptions;
  readonly #adapters: LruMap<string, ServedAdapter>;
  readonly #loading = new Map<string, Promise<ServedAdapter>>();
  readonly #sessions: LruMap<string, OpenModel>;
  readonly #keys = new Set<string>();
  readonly #closing: Promise<void>[] = [];

  constructor(options: ModelOptions) {
    this.#options = options;
    this.#adapters = new LruMap(options.adapterBytes);
    this.#sessions = new LruMap(options.memoryBytes, ({ session }) => this.#closing.push(session.release()));
  }

  /** Throws as {@link InferenceService} says. */
  async choose({ base: name, version, adapter: sha256 }: ModelChoice, family: 'encoder' | 'decoder'): Promise<Chosen> {
    const adapter = sha256 === undefined ? undefined : await this.#adapter(name, sha256);
    const local = adapter?.local ?? (await this.#options.openBase(name, version === undefined ? {} : { version }));
    if (local.base.config.family !== family) {
      const task = family === 'encoder' ? 'embed or classify' : 'generate';
      throw invalidInput('the request', [{ path: '/model', message: `${name} does not ${task}` }]);
    }
    return adapter === undefined ? local : { ...local, adapter };
  }

  async #adapter(name: string, sha256: string): Promise<ServedAdapter> {
    const key = `${sha256}/${name}`;
    const known = this.#adapters.get(key) ?? this.#loading.get(key);
    if (known !== undefined) return known;
    // One that is on its way has no size yet, and somebody waits for it: it cannot be put out. What failed is tried again.
    const loading = this.#load(name, sha256)
      .then((served) => {
        this.#adapters.set(key, served, adapterBytes(served));
        return served;
      })
      .finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  async #load(name: string, sha256: string): Promise<ServedAdapter> {
    const { loadAdapter, openBase } = this.#options;
    const adapter = await loadAdapter(sha256);
    return serveAdapter(sha256, adapter, await openBase(name, { weights: adapter.base.sha256 }));
  }

  /** The session of a base for adapters of a layout. It may be closed as soon as another one is asked for. */
  async open(base: BaseModel, layout: UpdateLayout | undefined): Promise<OpenModel> {
    const key = sessionKey(base, layout);
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const { model, caches } = this.#build(base, layout);
    const { threads, provider } = this.#options;
    const directory = base.directory === undefined ? {} : { directory: base.directory };
    const opened = { session: await openSession(model, { threads, provider, ...directory }), caches };
    this.#keys.add(key);
    for (const gone of this.#sessions.set(key, opened, weightBytes(model))) this.#keys.delete(gone);
    await Promise.all(this.#closing.splice(0));
    return opened;
  }

  #build(base: BaseModel, layout: UpdateLayout | undefined): { model: GraphModel; caches: readonly CacheNames[] } {
    if (base.config.family === 'encoder') return { model: servingEncoder(base, layout), caches: [] };
    return servingDecoder(base, layout, this.#options.activations === '8bit' ? { accuracy: 4 } : {});
  }

  async close(): Promise<void> {
    for (const key of this.#keys) this.#sessions.delete(key);
    await Promise.all(this.#closing.splice(0));
  }
}

/** What rows must have in common to run together. */
export const sessionKey = ({ sha256 }: BaseModel, layout: UpdateLayout | undefined): string =>
  JSON.stringify([sha256, layout?.rank ?? 0, layout?.modules ?? []]);

/** Bytes of a graph's constants: what its session holds. */
const weightBytes = ({ initializers }: GraphModel): number =>
  initializers.reduce((bytes, { data }) => bytes + data.length, 0);
