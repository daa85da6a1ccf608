/** A process for tests: it answers, throws, hangs and dies on demand. */
import { invalidInput } from '../../../src/contracts/errors.ts';
import { answerCalls } from '../../../src/learning/process/calls.ts';
import type { Handlers } from '../../../src/learning/process/channel.ts';

export type TestCalls = {
  readonly echo: { readonly input: unknown; readonly output: unknown };
  readonly refuse: { readonly input: null; readonly output: never };
  readonly fail: { readonly input: null; readonly output: never };
  readonly exit: { readonly input: number; readonly output: never };
  readonly hang: { readonly input: null; readonly output: never };
  /** Emits numbers up to the input, then says how many. */
  readonly count: { readonly input: number; readonly output: number };
  /** Asks whoever started it for the square of the input, and adds one. */
  readonly square: { readonly input: number; readonly output: number };
  /** Emits that it waits, and is answered once nobody does. */
  readonly wait: { readonly input: null; readonly output: null };
  /** How many waits were given up. */
  readonly givenUp: { readonly input: null; readonly output: number };
  readonly variables: { readonly input: null; readonly output: readonly string[] };
};

export type TestLookups = { readonly square: { readonly input: number; readonly output: number } };

let givenUp = 0;

const handlers: Handlers<TestCalls> = {
  echo: (input) => Promise.resolve(input),
  refuse: () => Promise.reject(invalidInput('the question', [{ path: '/a', message: 'is wrong' }])),
  fail: () => Promise.reject(new TypeError('a bug')),
  exit: (code) => process.exit(code),
  // As a run of a graph does: the thread is gone.
  hang: () => {
    for (;;);
  },
  variables: () => Promise.resolve(Object.keys(process.env)),
  count(input, { emit }) {
    for (let i = 1; i <= input; i++) emit(i);
    return Promise.resolve(input);
  },
  square: async (input) => 1 + (await ask('square', input)),
  wait: (_, { signal, emit }) =>
    new Promise((resolve) => {
      emit('waiting');
      signal.addEventListener('abort', () => {
        givenUp++;
        resolve(null);
      });
    }),
  givenUp: () => Promise.resolve(givenUp),
};

const ask = answerCalls<TestCalls, TestLookups>(handlers);
