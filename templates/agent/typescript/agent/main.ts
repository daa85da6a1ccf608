// What the host calls: the export of `wit/agent.wit`. There is nothing to change here.
import { decode, liftEvent, lowerStep, type Event, type Step } from './abi.ts';
import { step as turn } from './agent.ts';
import type * as wit from './wit.d.ts';

export function step(state: Uint8Array, event: wit.Event): wit.StepResult {
  Math.random = seeded(Number(event.seed) + event.turn);
  globalThis.Date = virtual(Number(event.time));
  return lowerStep(safely(() => turn(decode(state), liftEvent(event))));
}

/** An error becomes a failure that says what it was: uncaught, it would only be a trap. */
function safely(run: () => Step): Step {
  try {
    return run();
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    return { kind: 'fail', reason: `${name}: ${message}`, log: [stack ?? ''] };
  }
}

/** Dates by the virtual clock; the interpreter has no other, and asking it for one is a trap. */
function virtual(time: number): DateConstructor {
  return new Proxy(Date, {
    apply: (target) => new target(time).toString(),
    construct: (target, given, made) => Reflect.construct(target, given.length === 0 ? [time] : given, made) as Date,
    get: (target, name) => (name === 'now' ? () => time : (Reflect.get(target, name) as unknown)),
  });
}

/** Numbers in [0, 1) that are the same in every run: mulberry32 (T. Ettinger, 2017). */
function seeded(seed: number): () => number {
  let state = (seed ^ (seed / 2 ** 32)) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

// The types of the two sides fit: what `agent.ts` exports takes what is lifted.
turn satisfies (state: string, event: Event<never>) => Step;
