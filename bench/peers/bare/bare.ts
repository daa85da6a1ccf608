import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ChimeraError } from '../../../src/contracts/errors.ts';

export const BARE_QUEUE = 'bench-bare';

/** Runs the bare worker in a process of its own, as Chimera's worker is, until it is stopped. */
export async function startBareWorker(address: string, namespace: string): Promise<{ stop(): Promise<void> }> {
  const child = fork(join(import.meta.dirname, 'worker.ts'), [address, namespace, BARE_QUEUE], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  await Promise.race([
    once(child, 'message'),
    ended.then(() => {
      throw new ChimeraError('CHIMERA_SETUP', { what: 'the bare worker', why: 'it ended before it was ready' });
    }),
  ]);
  return {
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
