import { randomUUID } from 'node:crypto';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import { stream } from '../../core/random/random.ts';
import type { DecoderConfig } from '../architecture/config.ts';
import { indices, tensor, type Values } from '../runtime/session.ts';
import { notFinite } from './encoder-queue.ts';
import { KeyCache, keyBytes } from './key-cache.ts';
import type { Chosen, Models } from './models.ts';
import { pick } from './sampling.ts';
import { stackUpdates } from './served-adapter.ts';
import { StopTexts } from './stop-texts.ts';
import type { Job } from './turns.ts';
import type { GenerationAnswer, GenerationRequest } from './types.ts';

/** Tokens of a prompt that one step reads: others wait no longer than for these. */
const CHUNK = 64;

/** An answer on its way: each step reads a piece of the prompt, or adds a token. */
export class Generation implements Job {
  readonly #models: Models;
  readonly #model: Chosen;
  readonly #request: GenerationRequest;
  readonly #seed: string;
  readonly #prompt: readonly number[];
  readonly #config: DecoderConfig;
  readonly #updates: Values;
  /** Tokens that the model may see. */
  readonly #most: number;
  readonly #stops: StopTexts;
  readonly #pieces: ReturnType<Chosen['tokenizer']['stream']>;
  readonly #abort = (): void => this.#fail(new ChimeraError('CHIMERA_CANCELLED', { what: 'the generation' }));
  readonly answer: Promise<GenerationAnswer>;
  #resolve!: (answer: GenerationAnswer) => void;
  #reject!: (error: Error) => void;
  #cache: KeyCache | undefined;
  /** Tokens that the model has not seen yet. */
  #next: readonly number[];
  #seen = 0;
  #drawn = 0;
  #text = '';
  #over = false;

  /** @throws `CHIMERA_INVALID_INPUT` for a prompt that is empty or leaves no room for an answer */
  constructor(models: Models, model: Chosen, request: GenerationRequest) {
    const { prompt } = request;
    const text = typeof prompt === 'string' ? prompt : model.tokenizer.chat(prompt);
    const config = model.base.config as DecoderConfig;
    const tokens = promptTokens(model, text, config.positions);
    this.#models = models;
    this.#model = model;
    this.#request = request;
    this.#seed = request.seed ?? randomUUID();
    this.#prompt = tokens;
    this.#next = tokens;
    this.#most = Math.min(config.positions, tokens.length + request.maxTokens);
    this.#config = config;
    const layout = model.adapter?.layout;
    this.#updates = layout === undefined ? {} : stackUpdates([model.adapter!], layout);
    this.#stops = new StopTexts(request.stop);
    this.#pieces = model.tokenizer.stream();
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    request.signal?.addEventListener('abort', this.#abort);
    if (request.signal?.aborted === true) this.#abort();
  }

  /** What its keys and values may take. */
  get bytes(): number {
    return keyBytes(this.#config, this.#most);
  }

  async step(): Promise<boolean> {
    if (this.#over) return false;
    try {
      const chunk = this.#next.slice(0, CHUNK);
      const logits = await this.#read(chunk);
      this.#next = this.#next.slice(chunk.length);
      if (!this.#over && this.#next.length === 0) this.#draw(logits);
    } catch (error) {
      this.#fail(error as Error);
    }
    return !this.#over;
  }

  /** Lets the model see tokens; returns what it expects after the last one. */
  async #read(tokens: readonly number[]): Promise<Float32Array> {
    const { session, caches } = await this.#models.open(this.#model.base, this.#model.adapter?.layout);
    const total = this.#seen + tokens.length;
    this.#cache ??= new KeyCache(this.#config, caches, this.#most);
    this.#cache.reserve(total);
    const outputs = await session.run({
      tokens: indices(tokens, [1, tokens.length]),
      last: tensor(Int32Array.of(total - 1), [1]),
      total: tensor(Int32Array.of(total), []),
      from: indices([this.#seen], [1]),
      to: indices([total], [1]),
      ...this.#cache.inputs(),
      ...this.#updates,
    });
    // It may have been cancelled meanwhile.
    this.#cache?.add(outputs, this.#seen);
    this.#seen = total;
    return outputs['logits']!.data as Float32Array;
  }

  #draw(logits: Float32Array): void {
    if (!logits.every(Number.isFinite)) throw notFinite(this.#model);
    const { maxTokens } = this.#request;
    // Each draw is a function of the seed and its place in the answer.
    const token = pick(logits, this.#request, () => stream(this.#seed, 0, this.#drawn, 'generation').uniform());
    this.#drawn++;
    if (token === this.#model.tokenizer.special.end) return this.#finish('stop');
    this.#emit(this.#stops.push(this.#pieces.push(token)));
    if (this.#stops.found) return this.#finish('stop');
    if (this.#drawn >= maxTokens || this.#seen >= this.#config.positions) return this.#finish('length');
    this.#next = [token];
  }

  #emit(text: string): void {
    if (text === '') return;
    this.#text += text;
    this.#request.onText?.(text);
  }

  #finish(end: GenerationAnswer['finish']): void {
    this.#emit(this.#stops.push(this.#pieces.end()));
    const finish = this.#stops.found ? 'stop' : end;
    this.#emit(this.#stops.end());
    this.#close();
    const usage = { promptTokens: this.#prompt.length, completionTokens: this.#drawn };
    this.#resolve({ text: this.#text, finish, usage });
  }

  #fail(error: Error): void {
    this.#close();
    this.#reject(error);
  }

  #close(): void {
    this.#over = true;
    this.#cache = undefined;
    this.#request.signal?.removeEventListener('abort', this.#abort);
  }
}

/** A text may be megabytes, and nothing else goes on while it is read: no more of it is read than there is room for. */
function promptTokens({ tokenizer }: Chosen, text: string, positions: number): readonly number[] {
  const refuse = (message: string): Error => invalidInput('the request', [{ path: '/prompt', message }]);
  const fewest = tokenizer.fewest(text);
  const tokens = fewest < positions ? tokenizer.encode(text, { limit: positions }) : [];
  const count = Math.max(fewest, tokens.length);
  if (count === 0) throw refuse('it is empty');
  if (count >= positions) {
    throw refuse(`it has ${count} tokens or more; the model takes ${positions} with at least one of its answer`);
  }
  return tokens;
}
