import type { z } from 'zod';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import { stream } from '../../core/random/random.ts';
import type {
  ClassificationAnswer,
  EmbeddingAnswer,
  EmbeddingRequest,
  GenerationAnswer,
  GenerationRequest,
  ModelChoice,
  ServedModel,
} from '../inference/types.ts';
import type { ChatMessage } from '../tokenizer/types.ts';
import { chatAnswer, chatBody, chatChunk, finishOf } from './chat.ts';
import { costOf, usageOf, type RemoteUsage } from './costs.ts';
import { eventData } from './events.ts';
import { errorMessage, parseJson, postForJson, postForStream, providerFailed, type Post } from './exchange.ts';
import { withRetries, type Attempt } from './retries.ts';
import type { OnCost, RemoteModel, RemoteProvider, RemoteProviderOptions, RemoteTask } from './types.ts';
import { embeddingsAnswer, vectorsOf } from './vectors.ts';

/**
 * A service that speaks OpenAI's protocol, as models. A call is tried again after status 429 or 5xx and where the connection fails,
 * as long as no stream has begun. Conversations and embeddings only: it has no adapters, classes or prompts without a template.
 */
export function createRemoteProvider(options: RemoteProviderOptions): RemoteProvider {
  return new Provider(options);
}

const ignore = (): void => undefined;

class Provider implements RemoteProvider {
  readonly name: string;
  readonly models: readonly ServedModel[];
  /** Private, so that no logger that looks into objects finds the key. */
  readonly #options: RemoteProviderOptions;
  readonly #closed = new AbortController();
  #calls = 0;

  constructor(options: RemoteProviderOptions) {
    this.name = options.name;
    this.models = options.models.map(({ name, tasks }) => ({ name, choice: { base: name }, tasks }));
    this.#options = options;
  }

  async embed({ model: choice, texts, signal }: EmbeddingRequest, onCost: OnCost = ignore): Promise<EmbeddingAnswer> {
    const model = this.#model(choice, 'embedding');
    const body = { model: model.remoteName, input: texts, encoding_format: 'float' };
    const post: Post = { path: '/embeddings', model: model.name, body, signal: this.#signal(signal) };
    const json = await this.#call(post, () => postForJson(this.#options, post));
    const answer = this.#check(embeddingsAnswer, json);
    const { estimated, ...usage } = usageOf(answer.usage, texts, '');
    onCost(costOf(this.name, model, 'embedding', { ...usage, estimated }));
    return { vectors: vectorsOf(this, answer.data, texts.length), usage };
  }

  classify(): Promise<ClassificationAnswer> {
    return Promise.reject(this.#refused('has no adapters that classify'));
  }

  async generate(request: GenerationRequest, onCost: OnCost = ignore): Promise<GenerationAnswer> {
    const model = this.#model(request.model, 'generation');
    const { prompt } = request;
    if (typeof prompt === 'string') throw this.#refused('takes conversations only');
    const body = chatBody(model, prompt, request);
    const post: Post = { path: '/chat/completions', model: model.name, body, signal: this.#signal(request.signal) };
    return request.onText === undefined
      ? this.#whole(model, prompt, post, onCost)
      : this.#streamed(model, prompt, post, request.onText, onCost);
  }

  close(): Promise<void> {
    this.#closed.abort();
    return Promise.resolve();
  }

  async #whole(
    model: RemoteModel,
    prompt: readonly ChatMessage[],
    post: Post,
    onCost: OnCost,
  ): Promise<GenerationAnswer> {
    const answer = this.#check(chatAnswer, await this.#call(post, () => postForJson(this.#options, post)));
    const { message, finish_reason: reason } = answer.choices[0]!;
    const text = message.content ?? '';
    const usage = this.#bill(model, prompt, text, answer.usage, onCost);
    return { text, finish: this.#finish(reason), usage };
  }

  async #streamed(
    model: RemoteModel,
    prompt: readonly ChatMessage[],
    post: Post,
    onText: (text: string) => void,
    onCost: OnCost,
  ): Promise<GenerationAnswer> {
    const { bytes, close } = await this.#call(post, () => postForStream(this.#options, post));
    let text = '';
    let reason: string | null | undefined;
    let said: RemoteUsage | null | undefined;
    let usage: GenerationAnswer['usage'];
    try {
      for await (const data of eventData(this, bytes)) {
        if (data === '[DONE]') break;
        if (data.startsWith('{"error"')) throw providerFailed(this, errorMessage(this.#options, data) ?? 'it gave up');
        const chunk = this.#check(chatChunk, parseJson(this, data));
        said = chunk.usage ?? said;
        const choice = chunk.choices[0];
        reason = choice?.finish_reason ?? reason;
        const piece = choice?.delta.content ?? '';
        if (piece === '') continue;
        text += piece;
        onText(piece);
      }
    } finally {
      close();
      // What has begun costs money, however it ends.
      usage = this.#bill(model, prompt, text, said, onCost);
    }
    if (reason == null) throw providerFailed(this, 'its stream ended before the answer was whole');
    return { text, finish: this.#finish(reason), usage };
  }

  #bill(
    model: RemoteModel,
    prompt: readonly ChatMessage[],
    text: string,
    said: RemoteUsage | null | undefined,
    onCost: OnCost,
  ): GenerationAnswer['usage'] {
    const used = usageOf(
      said,
      prompt.map(({ content }) => content),
      text,
    );
    onCost(costOf(this.name, model, 'generation', used));
    return { promptTokens: used.promptTokens, completionTokens: used.completionTokens };
  }

  #call<T>(post: Post, attempt: () => Promise<Attempt<T>>): Promise<T> {
    const { retries } = this.#options;
    return withRetries(attempt, retries, stream(retries.seed, 0, this.#calls++, `retries ${this.name}`), post.signal);
  }

  #check<S extends z.ZodType>(schema: S, json: unknown): z.output<S> {
    const { success, data, error } = schema.safeParse(json);
    if (success) return data;
    const { path = [], message = '' } = error.issues[0] ?? {};
    throw providerFailed(this, `its answer has at /${path.map(String).join('/')}: ${message}`);
  }

  #finish(reason: string): GenerationAnswer['finish'] {
    const finish = finishOf(reason);
    if (finish === undefined) throw providerFailed(this, `its answer ended with ${reason.slice(0, 50)}`);
    return finish;
  }

  #model({ base, adapter }: ModelChoice, task: RemoteTask): RemoteModel {
    const model = adapter === undefined ? this.#options.models.find(({ name }) => name === base) : undefined;
    if (model === undefined) {
      const name = adapter === undefined ? base : `${base}:${adapter}`;
      throw new ChimeraError('CHIMERA_NOT_FOUND', { what: `model of ${this.name}`, name });
    }
    if (model.tasks.includes(task)) return model;
    throw invalidInput('the request', [{ path: '/model', message: `${base} is not for ${task}` }]);
  }

  #refused(why: string): ChimeraError {
    return invalidInput('the request', [{ path: '/model', message: `a model of provider ${this.name} ${why}` }]);
  }

  #signal(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([this.#closed.signal, signal]);
  }
}
