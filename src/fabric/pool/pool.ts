import { ChimeraError } from '../../contracts/errors.ts';
import type { Batch, BatchResults, Blob } from '../protocol.ts';
import { SandboxProcess } from './sandbox-process.ts';
import type { Ticket } from './sandbox-process.ts';

export interface PoolOptions {
  /** Processes at most; they are started as work comes in. */
  readonly size: number;
  /** The file that a sandbox process runs. */
  readonly entry: string;
  /** The wasmtime library that its processes load, to run agents on it; without one they run them on V8. */
  readonly wasmtime?: string;
}

export interface SubmitOptions {
  readonly blobs: readonly Blob[];
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/**
 * A fixed number of sandbox processes behind one queue. A process that dies, or is killed at a wall deadline, costs the
 * batch that it was at: that one is rejected, what had not begun goes to another process, and a new process takes its
 * place.
 */
export class SandboxPool {
  readonly #options: PoolOptions;
  readonly #processes = new Set<SandboxProcess>();
  readonly #queue: Ticket[] = [];
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Process IDs, for tests and for `chimera doctor`. */
  get pids(): number[] {
    return [...this.#processes].map(({ pid }) => pid).filter((pid) => pid !== undefined);
  }

  /**
   * Runs one batch. Rejects with `CHIMERA_SANDBOX_CRASHED` and `CHIMERA_WALL_DEADLINE` (retryable), with
   * `CHIMERA_CANCELLED` once the signal is aborted, and with whatever ChimeraError the batch itself ended in.
   */
  submit<B extends Batch>(batch: B, options: SubmitOptions): Promise<BatchResults[B['kind']]> {
    const { blobs, deadlineMs, signal } = options;
    const cancelled = (): ChimeraError => new ChimeraError('CHIMERA_CANCELLED', { what: `a batch (${batch.kind})` });
    if (this.#closed || signal?.aborted === true) return Promise.reject(cancelled());
    return new Promise((resolve, reject) => {
      const settle = (): void => signal?.removeEventListener('abort', abort);
      const ticket: Ticket = {
        batch,
        blobs,
        deadlineMs,
        resolve: (result) => {
          settle();
          resolve(result as BatchResults[B['kind']]);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const abort = (): void => {
        const at = this.#queue.indexOf(ticket);
        if (at >= 0) this.#queue.splice(at, 1);
        ticket.reject(cancelled());
      };
      signal?.addEventListener('abort', abort);
      this.#queue.push(ticket);
      this.#dispatch();
    });
  }

  /** Ends every process; what was under way is rejected with `CHIMERA_CANCELLED`. */
  close(): void {
    this.#closed = true;
    const error = new ChimeraError('CHIMERA_CANCELLED', { what: 'the sandbox pool' });
    for (const ticket of this.#queue.splice(0)) ticket.reject(error);
    for (const process of this.#processes) process.kill(error);
  }

  #dispatch(): void {
    for (let [next] = this.#queue; next !== undefined; [next] = this.#queue) {
      const chosen = this.#choose(next);
      if (chosen === undefined) return;
      this.#queue.shift();
      chosen.send(next);
    }
  }

  /**
   * An idle process before a new one, a new one before the pipeline of a busy one. Of the idle ones one that has the content
   * before another, since it has compiled it too.
   */
  #choose({ blobs }: Ticket): SandboxProcess | undefined {
    const open = [...this.#processes].filter(({ free }) => free > 0);
    const idle = open.filter(({ busy }) => !busy);
    if (idle.length > 0) return idle.find((process) => process.has(blobs)) ?? idle[0];
    return this.#processes.size < this.#options.size ? this.#start() : open[0];
  }

  #start(): SandboxProcess {
    const started: SandboxProcess = new SandboxProcess(this.#options, {
      idle: () => this.#dispatch(),
      gone: (unbegun) => {
        this.#processes.delete(started);
        if (this.#closed) {
          const error = new ChimeraError('CHIMERA_CANCELLED', { what: 'the sandbox pool' });
          for (const ticket of unbegun) ticket.reject(error);
          return;
        }
        this.#queue.unshift(...unbegun);
        this.#dispatch();
      },
    });
    this.#processes.add(started);
    return started;
  }
}
