import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { ChimeraError } from '../../src/contracts/errors.ts';
import { oneThread } from './python.ts';

/** A process that answers each line of JSON on its standard input with one on its standard output. */
export interface LineProcess {
  /** Throws `CHIMERA_SETUP` with the last lines of its errors where it ends before it answers. */
  ask(question: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts one, with one thread where nothing else is said. */
export function startLines(
  what: string,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = oneThread(),
): LineProcess {
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const errors: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    errors.push(line);
    if (errors.length > 5) errors.shift();
  });
  const ended = once(child, 'close');
  // Whoever asks is told why it ended.
  ended.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(question) {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new ChimeraError('CHIMERA_SETUP', { what, why: errors.join(' ') });
      return JSON.parse(value) as unknown;
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
