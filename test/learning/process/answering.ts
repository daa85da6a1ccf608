/** A process for tests: it answers, throws, hangs and dies on demand. */
import { invalidInput } from '../../../src/contracts/errors.ts';
import { answerCalls } from '../../../src/learning/process/calls.ts';

export type TestCalls = {
  readonly echo: { readonly input: unknown; readonly output: unknown };
  readonly refuse: { readonly input: null; readonly output: never };
  readonly fail: { readonly input: null; readonly output: never };
  readonly exit: { readonly input: number; readonly output: never };
  readonly hang: { readonly input: null; readonly output: never };
  readonly variables: { readonly input: null; readonly output: readonly string[] };
};

answerCalls<TestCalls>({
  echo: (input) => Promise.resolve(input),
  refuse: () => Promise.reject(invalidInput('the question', [{ path: '/a', message: 'is wrong' }])),
  fail: () => Promise.reject(new TypeError('a bug')),
  exit: (code) => process.exit(code),
  // As a run of a graph does: the thread is gone.
  hang: () => {
    for (;;);
  },
  variables: () => Promise.resolve(Object.keys(process.env)),
});
