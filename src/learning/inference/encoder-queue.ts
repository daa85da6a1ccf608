import { createHash } from 'node:crypto';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import { LruMap } from '../../fabric/lru.ts';
import { tensor, type Values } from '../runtime/session.ts';
import { sessionKey, type Chosen, type Models } from './models.ts';
import { stackUpdates } from './served-adapter.ts';
import type { Job, Turns } from './turns.ts';

export interface BatchOptions {
  /** How long a text waits for others, in milliseconds, where the last one had company; one that comes alone is run at once. */
  readonly windowMs: number;
  /** Texts of one batch at most. */
  readonly batchTexts: number;
  /** Tokens of one batch at most, padding included; a longer text is a batch of its own. */
  readonly batchTokens: number;
  /** Answers that are kept, in bytes. */
  readonly cacheBytes: number;
}

interface Row {
  readonly model: Chosen;
  readonly tokens: readonly number[];
  readonly name: string;
  /** It runs by itself, padded by nobody. */
  readonly alone: boolean;
  readonly signal: AbortSignal | undefined;
  resolve(pooled: Float32Array): void;
  reject(error: Error): void;
}

/**
 * Texts that wait for an encoder, and the answers that are kept. What waits together and shares a graph runs together, texts of a
 * length side by side, whatever adapter each has.
 */
export class EncoderQueue implements Job {
  readonly #models: Models;
  readonly #turns: Turns;
  readonly #options: BatchOptions;
  readonly #cache: LruMap<string, Float32Array>;
  #waiting: Row[] = [];
  #planned: Row[][] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Was there one text only when texts were last looked at? */
  #alone = true;

  constructor(models: Models, turns: Turns, options: BatchOptions) {
    this.#models = models;
    this.#turns = turns;
    this.#options = options;
    this.#cache = new LruMap(options.cacheBytes);
  }

  /**
   * Mean of the hidden states of a text: [hidden]. The last bits depend on who else is in the batch, but for one that is to be alone: it
   * runs by itself, and is kept by itself.
   */
  pooled(
    model: Chosen,
    tokens: readonly number[],
    { alone = false, signal }: { readonly alone?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Float32Array> {
    const name = contentName(model, tokens, alone);
    const known = this.#cache.get(name);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ model, tokens, name, alone, signal, resolve, reject });
      const { windowMs, batchTexts } = this.#options;
      if (windowMs === 0 || this.#alone || this.#waiting.length >= batchTexts) this.#due();
      else this.#timer ??= setTimeout(() => this.#due(), windowMs);
    });
  }

  #due(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#turns.add(this);
  }

  /** Runs a batch. What comes in meanwhile is planned after what is planned: nobody is overtaken for ever. */
  async step(): Promise<boolean> {
    if (this.#planned.length === 0) {
      this.#alone = this.#waiting.length <= 1;
      this.#planned = plan(this.#waiting, this.#options);
      this.#waiting = [];
    }
    const batch = (this.#planned.shift() ?? []).filter((row) => !isCancelled(row));
    if (batch.length > 0) await this.#run(batch);
    return this.#planned.length > 0 || (this.#waiting.length > 0 && this.#timer === undefined);
  }

  async #run(batch: readonly Row[]): Promise<void> {
    const { base, adapter } = batch[0]!.model;
    try {
      const { session } = await this.#models.open(base, adapter?.layout);
      const { pooled } = await session.run(inputsOf(batch));
      const values = pooled!.data as Float32Array;
      const { hidden } = base.config;
      batch.forEach(({ name, model, resolve, reject }, i) => {
        const own = values.slice(i * hidden, (i + 1) * hidden);
        if (!own.every(Number.isFinite)) {
          reject(notFinite(model));
          return;
        }
        const bytes = own.byteLength + name.length;
        if (bytes <= this.#options.cacheBytes) this.#cache.set(name, own, bytes);
        resolve(own);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error as Error);
    }
  }
}

/** A model whose weights are finite may still overflow. */
export const notFinite = ({ base, adapter }: Chosen): ChimeraError =>
  invalidInput(adapter === undefined ? `the model ${base.name}` : `the adapter ${adapter.sha256}`, [
    { path: '', message: 'it gives values that are not finite' },
  ]);

function isCancelled({ signal, reject }: Row): boolean {
  if (signal?.aborted === true) reject(new ChimeraError('CHIMERA_CANCELLED', { what: 'the request' }));
  return signal?.aborted === true;
}

/** Waiting rows as batches: of one graph, in the order of their lengths so that little is padded, within the limits. */
function plan(waiting: readonly Row[], { batchTexts, batchTokens }: BatchOptions): Row[][] {
  const groups = Map.groupBy(waiting, ({ model }) => sessionKey(model.base, model.adapter?.layout));
  return [...groups.values()].flatMap((group) => {
    const batches: Row[][] = [];
    for (const row of group.toSorted((a, b) => a.tokens.length - b.tokens.length)) {
      const batch = batches.at(-1);
      const fits =
        batch !== undefined &&
        !row.alone &&
        !batch[0]!.alone &&
        batch.length < batchTexts &&
        (batch.length + 1) * row.tokens.length <= batchTokens;
      if (fits) batch.push(row);
      else batches.push([row]);
    }
    return batches;
  });
}

function inputsOf(batch: readonly Row[]): Values {
  const { adapter, tokenizer } = batch[0]!.model;
  const length = Math.max(...batch.map(({ tokens }) => tokens.length));
  const tokens = new BigInt64Array(batch.length * length).fill(BigInt(tokenizer.special.pad));
  const mask = new Float32Array(batch.length * length);
  batch.forEach((row, i) => {
    row.tokens.forEach((token, at) => (tokens[i * length + at] = BigInt(token)));
    mask.fill(1, i * length, i * length + row.tokens.length);
  });
  const shape = [batch.length, length];
  const adapters = batch.flatMap(({ model }) => model.adapter ?? []);
  const updates = adapter?.layout === undefined ? {} : stackUpdates(adapters, adapter.layout);
  return { tokens: tensor(tokens, shape), mask: tensor(mask, shape), ...updates };
}

/** The name of an answer: a function of all that it is computed from. */
function contentName({ base, adapter }: Chosen, tokens: readonly number[], alone: boolean): string {
  const updates = adapter?.layout === undefined ? '' : adapter.sha256;
  return createHash('sha256')
    .update(`${alone ? 'alone' : 'any'}/${base.sha256}/${updates}/${tokens.join(',')}`)
    .digest('base64');
}
