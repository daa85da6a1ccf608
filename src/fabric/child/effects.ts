import { hash } from 'node:crypto';
import { isChimeraError } from '../../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../../contracts/records.ts';
import { canonicalJson } from '../../core/canonical/canonical.ts';
import { getAnswer, parseMemoryRequest, putAnswer } from '../../core/execution/memory.ts';
import { effectAnswer, effectError } from '../../core/execution/results.ts';
import type { EffectAnswers, EffectHandler, EffectRequest, EffectResult } from '../../core/execution/types.ts';
import type { HostedModel, HostedModels, Question } from '../hosted.ts';
import type { RecordedEffect } from '../jobs.ts';
import type { LruMap } from '../lru.ts';
import type { InferenceModel } from './services.ts';

/** Answers to `infer` by (model, input): pure, so that they hold for as long as the process lives. */
export type InferenceCache = LruMap<string, EffectResult>;

/** Models of which a batch knows answers, and which the host can be asked for more. */
export class HostedAnswers {
  readonly #effects: ReadonlyMap<string, HostedModel['effect']>;

  /** Keeps what the host says where every answer is kept. */
  constructor(hosted: HostedModels | undefined, cache: InferenceCache) {
    this.#effects = new Map(hosted?.models.map(({ sha256, effect }) => [sha256, effect]));
    for (const { model, text, labels, scores } of hosted?.answers ?? []) {
      const own = Float64Array.from(scores);
      const answer =
        this.effectOf(model) === 'embed' ? effectAnswer({ dimensions: own.length }, own) : labelAnswer(labels, own);
      cache.set(`${model}:${inputKey(text)}`, answer);
    }
  }

  /** The effect by which a model is asked; undefined for one that the sandbox holds. */
  effectOf(model: string): HostedModel['effect'] | undefined {
    return this.#effects.get(model);
  }
}

/** What an agent is told of a model's scores: the likeliest label, the first of equals, and all of them. */
export function labelAnswer(labels: readonly string[], scores: Float64Array): EffectResult {
  const best = scores.reduce((top, score, i) => (score > scores[top]! ? i : top), 0);
  return effectAnswer({ label: labels[best]!, scores: [...scores] }, scores);
}

/** A text is hashed as it is; the mark keeps it apart from a value whose JSON it spells. */
const inputKey = (input: JsonValue): string =>
  typeof input === 'string' ? `text:${hash('sha256', input)}` : hash('sha256', canonicalJson(input));

/** The value at an RFC 6901 pointer, undefined where there is none. Only own members count. */
export function atPointer(document: JsonValue, pointer: string): JsonValue | undefined {
  if (pointer === '') return document;
  if (!pointer.startsWith('/')) return undefined;
  let value: JsonValue | undefined = document;
  for (const part of pointer.slice(1).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, JsonValue>)[name];
  }
  return value;
}

/** What one item's agents share: the payload, its model answers, its recorded world effects. */
export interface ItemContext {
  readonly payload: JsonObject;
  readonly answers: Map<string, EffectResult>;
  /** The answers to equal requests in the order in which they were given. */
  readonly recorded: ReadonlyMap<string, readonly EffectResult[]>;
}

export function itemContext(payload: JsonObject, recorded: readonly RecordedEffect[] = []): ItemContext {
  const results = new Map<string, EffectResult[]>();
  for (const { kind, requestHash, ok, body, scores } of recorded) {
    const key = `${kind}:${requestHash}`;
    const answer = { ...effectAnswer(body, Float64Array.from(scores)), ok };
    const known = results.get(key);
    if (known === undefined) results.set(key, [answer]);
    else known.push(answer);
  }
  return { payload, answers: new Map(), recorded: results };
}

/** The blocks of one execution that runs in one go. */
class ExecutionMemory {
  readonly #blocks = new Map<string, Uint8Array>();
  #kept = 0;

  perform(value: JsonValue): EffectResult {
    const request = parseMemoryRequest(value);
    if (!('op' in request)) return request;
    if (request.op === 'get') return getAnswer(this.#blocks.get(request.sha256), request.as);
    const { sha256, bytes } = request;
    const kept = this.#kept + (this.#blocks.has(sha256) ? 0 : bytes.length);
    const answer = putAnswer(sha256, bytes.length, kept);
    if (answer.ok) {
      this.#blocks.set(sha256, bytes);
      this.#kept = kept;
    }
    return answer;
  }
}

/**
 * The handler of the child process: pure effects are computed where the agent runs, world effects come from the
 * recording and are otherwise refused, since nothing here can reach the world. `sleep` takes no time.
 */
export class PureEffects implements EffectHandler {
  /** Did the agent ask for a world effect that nobody recorded? */
  unrecorded = false;
  /** What it asked of hosted models that nobody has answered: the run has to be made again. */
  readonly questions: Question[] = [];
  readonly #memory = new ExecutionMemory();
  /** How often a request was answered from the recording. */
  readonly #served = new Map<string, number>();
  readonly #item: ItemContext;
  readonly #models: Readonly<Record<string, string>>;
  readonly #load: (sha256: string) => InferenceModel;
  readonly #cache: InferenceCache;
  readonly #hosted: HostedAnswers;

  constructor(
    item: ItemContext,
    models: Readonly<Record<string, string>>,
    load: (sha256: string) => InferenceModel,
    cache: InferenceCache,
    hosted: HostedAnswers,
  ) {
    this.#item = item;
    this.#models = models;
    this.#load = load;
    this.#cache = cache;
    this.#hosted = hosted;
  }

  perform(effects: readonly EffectRequest[]): EffectResult[] {
    return effects.map((effect) => this.performOne(effect));
  }

  performOne(effect: EffectRequest): EffectResult {
    switch (effect.kind) {
      case 'infer':
      case 'embed':
        return this.#askModel(effect.kind, effect.request);
      case 'memory':
        return this.#memory.perform(effect.request);
      case 'sleep':
        return effectAnswer({});
      case 'http':
      case 'tool':
      case 'ask-human':
      case 'spawn-task': {
        const key = `${effect.kind}:${effect.requestHash}`;
        const before = this.#served.get(key) ?? 0;
        this.#served.set(key, before + 1);
        const recorded = this.#item.recorded.get(key)?.[before];
        this.unrecorded ||= recorded === undefined;
        return recorded ?? effectError('CHIMERA_FORBIDDEN', `${effect.kind} is not recorded and not performed here`);
      }
    }
  }

  #askModel(kind: HostedModel['effect'], request: JsonValue): EffectResult {
    const { model: name, input: pointer } = (typeof request === 'object' && request !== null ? request : {}) as {
      model?: unknown;
      input?: unknown;
    };
    if (typeof name !== 'string' || typeof pointer !== 'string') {
      return effectError('CHIMERA_INVALID_INPUT', `${kind} wants {"model": name, "input": JSON pointer}`);
    }
    const sha256 = Object.hasOwn(this.#models, name) ? this.#models[name] : undefined;
    if (sha256 === undefined) return effectError('CHIMERA_NOT_FOUND', `the manifest names no model ${name}`);
    const hosted = this.#hosted.effectOf(sha256);
    if ((hosted ?? 'infer') !== kind) {
      return effectError('CHIMERA_INVALID_INPUT', `the model ${name} is not for ${kind}`);
    }
    const nearKey = `${sha256}:${pointer}`;
    const near = this.#item.answers.get(nearKey);
    if (near !== undefined) return near;
    const input = atPointer(this.#item.payload, pointer);
    if (input === undefined) return effectError('CHIMERA_INVALID_INPUT', `the payload has nothing at ${pointer}`);
    const key = `${sha256}:${inputKey(input)}`;
    if (hosted !== undefined) return this.#askHost(sha256, key, input);
    const result = this.#cache.getOrMake(key, () => {
      const model = this.#load(sha256);
      try {
        const { labels, scores } = model.infer(input);
        return labelAnswer(labels, scores);
      } catch (error) {
        // An input that the model cannot take is the agent's mistake; anything else is a fault of the process.
        if (!isChimeraError(error, 'CHIMERA_INVALID_INPUT')) throw error;
        return effectError(error.code, error.message);
      }
    });
    this.#item.answers.set(nearKey, result);
    return result;
  }

  #askHost(model: string, key: string, input: JsonValue): EffectResult {
    if (typeof input !== 'string') return effectError('CHIMERA_INVALID_INPUT', 'the model input is not valid');
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    this.questions.push({ model, text: input });
    // Nobody will see what the agent makes of this.
    return effectError('CHIMERA_NOT_FOUND', 'not answered yet');
  }
}

/**
 * The handler of a long execution's turns: what is a function of model and payload is computed here, all else is left to the
 * worker, which records it.
 */
export class TurnEffects implements EffectHandler {
  readonly #pure: PureEffects;

  constructor(pure: PureEffects) {
    this.#pure = pure;
  }

  perform(effects: readonly EffectRequest[]): EffectAnswers {
    return effects.map((effect) =>
      effect.kind === 'infer' || effect.kind === 'embed' ? this.#pure.performOne(effect) : undefined,
    );
  }
}
