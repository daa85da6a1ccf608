import { spawn, type ChildProcess } from 'node:child_process';

/**
 * Ends the servers when this process dies without stopping them. A shell waits on a pipe from us: whatever kills us
 * closes the pipe, and the shell interrupts the processes it was last told of. It lives in a session of its own, so that
 * Ctrl-C in the terminal does not reach it, nor the servers, before the orderly stop.
 */
const SCRIPT = `pids=
while read -r line; do pids=$line; done
for pid in $pids; do kill -INT "$pid" 2>/dev/null; done`;

export class Reaper {
  readonly #pids = new Set<number>();
  readonly #shell: ChildProcess;

  constructor() {
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    // Without the shell an orphan is ended by the next start instead.
    this.#shell.on('error', () => {});
    this.#shell.stdin?.on('error', () => {});
    this.#shell.unref();
    // The pipe must not keep a process alive that has nothing else to do.
    (this.#shell.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  }

  add(pid: number): void {
    this.#pids.add(pid);
    this.#tell();
  }

  remove(pid: number): void {
    this.#pids.delete(pid);
    this.#tell();
  }

  /** Ends the shell; processes it still watches are interrupted. */
  close(): void {
    this.#shell.stdin?.end();
  }

  #tell(): void {
    this.#shell.stdin?.write(`${[...this.#pids].join(' ')}\n`);
  }
}
