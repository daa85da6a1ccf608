import { hash } from 'node:crypto';
import { isChimeraError } from '../../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../../contracts/records.ts';
import { canonicalJson } from '../../core/canonical/canonical.ts';
import { getAnswer, parseMemoryRequest, putAnswer } from '../../core/execution/memory.ts';
import { effectAnswer, effectError } from '../../core/execution/results.ts';
import type { EffectAnswers, EffectHandler, EffectRequest, EffectResult } from '../../core/execution/types.ts';
import type { RecordedEffect } from '../jobs.ts';
import type { LruMap } from '../lru.ts';
import type { InferenceModel } from './services.ts';

/** Answers to `infer` by (model, input): pure, so that they hold for as long as the process lives. */
export type InferenceCache = LruMap<string, EffectResult>;

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
  readonly #memory = new ExecutionMemory();
  /** How often a request was answered from the recording. */
  readonly #served = new Map<string, number>();
  readonly #item: ItemContext;
  readonly #models: Readonly<Record<string, string>>;
  readonly #load: (sha256: string) => InferenceModel;
  readonly #cache: InferenceCache;

  constructor(
    item: ItemContext,
    models: Readonly<Record<string, string>>,
    load: (sha256: string) => InferenceModel,
    cache: InferenceCache,
  ) {
    this.#item = item;
    this.#models = models;
    this.#load = load;
    this.#cache = cache;
  }

  perform(effects: readonly EffectRequest[]): EffectResult[] {
    return effects.map((effect) => this.performOne(effect));
  }

  performOne(effect: EffectRequest): EffectResult {
    switch (effect.kind) {
      case 'infer':
        return this.#infer(effect.request);
      case 'memory':
        return this.#memory.perform(effect.request);
      case 'sleep':
        return effectAnswer({});
      case 'embed':
        return effectError('CHIMERA_NOT_FOUND', 'no model of this platform computes embeddings');
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

  #infer(request: JsonValue): EffectResult {
    const { model: name, input: pointer } = (typeof request === 'object' && request !== null ? request : {}) as {
      model?: unknown;
      input?: unknown;
    };
    if (typeof name !== 'string' || typeof pointer !== 'string') {
      return effectError('CHIMERA_INVALID_INPUT', 'infer wants {"model": name, "input": JSON pointer}');
    }
    const sha256 = Object.hasOwn(this.#models, name) ? this.#models[name] : undefined;
    if (sha256 === undefined) return effectError('CHIMERA_NOT_FOUND', `the manifest names no model ${name}`);
    const nearKey = `${sha256}:${pointer}`;
    const near = this.#item.answers.get(nearKey);
    if (near !== undefined) return near;
    const input = atPointer(this.#item.payload, pointer);
    if (input === undefined) return effectError('CHIMERA_INVALID_INPUT', `the payload has nothing at ${pointer}`);
    // A text is hashed as it is; the mark keeps it apart from a value whose JSON it spells.
    const key = typeof input === 'string' ? `text:${hash('sha256', input)}` : hash('sha256', canonicalJson(input));
    const result = this.#cache.getOrMake(`${sha256}:${key}`, () => {
      const model = this.#load(sha256);
      try {
        const { body, scores } = model.infer(input);
        return effectAnswer(body, scores);
      } catch (error) {
        // An input that the model cannot take is the agent's mistake; anything else is a fault of the process.
        if (!isChimeraError(error, 'CHIMERA_INVALID_INPUT')) throw error;
        return effectError(error.code, error.message);
      }
    });
    this.#item.answers.set(nearKey, result);
    return result;
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
