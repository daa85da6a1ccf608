import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { ChimeraError } from '../../src/contracts/errors.ts';
import { oneThread } from '../peers/python.ts';

/** What steps of training took. */
export interface Took {
  readonly seconds: number;
  /** Seconds of a processor: what a machine with other work to do does not stretch as much. */
  readonly busy: number;
  /** Most memory that the process has held until then, mapped files and all, in bytes. */
  readonly peak: number;
}

/** A process that takes as many steps as a line on its standard input says, and answers each with a line of {@link Took}. */
export interface StepProcess {
  steps(count: number): Promise<Took>;
  close(): Promise<void>;
}

/** Starts one. Throws `CHIMERA_SETUP` with the last lines of its errors where it ends before it is told to. */
export function startSteps(what: string, program: string, args: readonly string[]): StepProcess {
  const child = spawn(program, args, { env: oneThread(), stdio: ['pipe', 'pipe', 'pipe'] });
  const errors: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    errors.push(line);
    if (errors.length > 5) errors.shift();
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async steps(count) {
      child.stdin.write(`${count}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new ChimeraError('CHIMERA_SETUP', { what, why: errors.join(' ') });
      return JSON.parse(value) as Took;
    },
    async close() {
      const ended = once(child, 'close');
      child.stdin.end();
      await ended;
    },
  };
}
