/** A probe that never answers, or whose driver takes the process down. */
import { answerCalls } from '../../../src/learning/process/calls.ts';
import type { ProbeCalls } from '../../../src/learning/runtime/probe.ts';

answerCalls<ProbeCalls>({
  probe: (provider) => {
    if (provider === 'cuda') process.kill(process.pid, 'SIGSEGV');
    for (;;);
  },
});
