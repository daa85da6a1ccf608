// The types of `wit/agent.wit` as an agent wants them, and the way from and to the types that are generated from it.
import type * as wit from './wit.d.ts';

/** Anything that `JSON.stringify` takes. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export interface Event<Payload> {
  /** 0 for the first turn. */
  readonly turn: number;
  /** Of the execution, as far as a number holds it. `Math.random` begins from it in every turn. */
  readonly seed: number;
  /** Virtual milliseconds since the execution started; only `sleep` moves it. There is no other clock. */
  readonly time: number;
  /** The task, in the first turn. */
  readonly task?: { readonly payload: Payload; readonly features: readonly number[] };
  /** The answers to the effects of the turn before, in their order. */
  readonly results: readonly EffectResult[];
}

export interface EffectResult {
  readonly ok: boolean;
  /** The result, or `{code, message}` where `ok` is false. */
  readonly body: unknown;
  /** For example the scores of an `infer`; empty where there are none. */
  readonly scores: readonly number[];
}

/** Something that the host is asked to do. Its kind must be among the capabilities in `agent.json`. */
export interface Effect {
  readonly kind: wit.EffectKind;
  readonly request: Json;
}

/** What the model thinks of the text at `pointer` (a JSON pointer) in the payload. */
export const infer = (model: string, pointer: string): Effect => ({
  kind: 'infer',
  request: { model, input: pointer },
});

/** What a turn ends with: an output, giving up with a reason for people, or effects whose answers come in the next event. */
export type Step = { readonly log?: readonly string[] } & (
  | { readonly kind: 'done'; readonly output: Json }
  | { readonly kind: 'fail'; readonly reason: string }
  /** `state`, at most 64 KiB, is handed to the next turn; nothing else outlives this one. */
  | { readonly kind: 'effects'; readonly effects: readonly Effect[]; readonly state?: string }
);

/** UTF-8 by functions that the interpreter has natively: it has no TextDecoder. */
export function decode(bytes: ArrayLike<number>): string {
  let latin1 = '';
  for (let at = 0; at < bytes.length; at += 8192) {
    latin1 += String.fromCharCode(...Array.prototype.slice.call(bytes, at, at + 8192));
  }
  return decodeURIComponent(escape(latin1));
}

export function encode(text: string): Uint8Array {
  return Uint8Array.from(unescape(encodeURIComponent(text)), (character) => character.charCodeAt(0));
}

export function liftEvent<Payload>({ turn, seed, time, body }: wit.Event): Event<Payload> {
  const common = { turn, seed: Number(seed), time: Number(time) };
  if (body.tag === 'results') return { ...common, results: body.val.map(liftResult) };
  const { payload, features } = body.val;
  return { ...common, task: { payload: JSON.parse(decode(payload)) as Payload, features: [...features] }, results: [] };
}

const liftResult = ({ ok, body, scores }: wit.EffectResult): EffectResult => ({
  ok,
  body: JSON.parse(decode(body)),
  scores: [...scores],
});

export function lowerStep(step: Step): wit.StepResult {
  const state = encode(step.kind === 'effects' ? (step.state ?? '') : '');
  return { state, outcome: lowerOutcome(step), log: [...(step.log ?? [])] };
}

function lowerOutcome(step: Step): wit.Outcome {
  switch (step.kind) {
    case 'done':
      return { tag: 'done', val: encode(JSON.stringify(step.output)) };
    case 'fail':
      return { tag: 'fail', val: step.reason };
    case 'effects': {
      const effects = step.effects.map(({ kind, request }) => ({ kind, request: encode(JSON.stringify(request)) }));
      return { tag: 'effects', val: effects };
    }
  }
}
