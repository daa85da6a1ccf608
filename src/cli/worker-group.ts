import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ChimeraError } from '../contracts/errors.ts';
import { growingMetrics, mergeMetrics } from '../telemetry/merge.ts';

export interface WorkerGroupOptions {
  readonly count: number;
  /** Script and arguments; default: a worker of all roles. */
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of the log files `worker-<n>.log`. */
  readonly logs: string;
  /** How long a worker may take until it says that it is ready, in ms. */
  readonly readyMs?: number;
  /** How long it may take to finish what it does when asked to stop, in ms. */
  readonly stopMs?: number;
  /** First pause before a dead worker is started again, in ms; doubles to {@link LONGEST_PAUSE_MS}. */
  readonly pauseMs?: number;
  readonly onProgress?: (message: string) => void;
}

export interface WorkerGroup {
  /** Process IDs of the workers that run now. */
  readonly pids: readonly number[];
  /** Prometheus text of all workers as one, those that are gone included. One that does not answer tells what it last told. */
  metricsText(): Promise<string>;
  /** Asks all of them to finish and waits until they are gone. Calling it again does nothing. */
  stop(): Promise<void>;
}

const LONGEST_PAUSE_MS = 10_000;
/** Shards come through as megabytes of short-lived texts: in a larger young generation fewer of them are copied. */
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=32'];
/** How long a worker may take to tell its metrics: a scrape waits no longer than that. */
const METRICS_MS = 1_000;
/** A worker that lived so long had started well: its next death is a new one. */
const HEALTHY_MS = 60_000;
const WORKER = fileURLToPath(new URL('../workers/main.ts', import.meta.url));

/**
 * Starts worker processes and keeps them running. Resolves when each has sent `{type: 'ready'}`.
 * @throws {ChimeraError} CHIMERA_SETUP with the end of the log when one does not become ready; none is left running
 */
export async function startWorkers(options: WorkerGroupOptions): Promise<WorkerGroup> {
  const workers = Array.from({ length: options.count }, (_, i) => new Worker(i + 1, options));
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= Promise.all(workers.map((worker) => worker.stop())).then(() => {}));
  const started = await Promise.allSettled(workers.map((worker) => worker.start()));
  const failed = started.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  return {
    get pids() {
      return workers.flatMap((worker) => worker.pid ?? []);
    },
    metricsText: async () => mergeMetrics(await Promise.all(workers.map((worker) => worker.metricsText()))),
    stop,
  };
}

class Worker {
  readonly #number: number;
  readonly #options: WorkerGroupOptions;
  readonly #log: string;
  readonly #stopped = new AbortController();
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #deaths = 0;
  /** What this process told last, and what its predecessors had counted. */
  #told = '';
  #before = '';
  #questions = 0;

  constructor(number: number, options: WorkerGroupOptions) {
    this.#number = number;
    this.#options = options;
    this.#log = join(options.logs, `worker-${number}.log`);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async metricsText(): Promise<string> {
    const child = this.#child;
    if (child?.connected === true) this.#told = (await this.#ask(child)) ?? this.#told;
    return mergeMetrics([this.#before, this.#told]);
  }

  #ask(child: ChildProcess): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const id = this.#questions++;
    const hear = (message: unknown): void => {
      const answer = message as { type?: unknown; id?: unknown; text?: unknown } | null;
      if (answer?.type === 'metrics' && answer.id === id) resolve(String(answer.text));
    };
    const giveUp = (): void => resolve(undefined);
    const timer = setTimeout(giveUp, METRICS_MS);
    child.on('message', hear).once('close', giveUp);
    child.send({ type: 'metrics', id }, (error) => error && giveUp());
    return promise.finally(() => {
      clearTimeout(timer);
      child.off('message', hear).off('close', giveUp);
    });
  }

  /** Resolves when the process is ready for the first time; after that it is kept running. */
  async start(): Promise<void> {
    await this.#launch();
    void this.#keep();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#options.stopMs ?? 30_000);
    await this.#gone;
    clearTimeout(timer);
  }

  /** Starts the process again whenever it is gone. */
  async #keep(): Promise<void> {
    const { onProgress, pauseMs = 500 } = this.#options;
    while (!this.#stopped.signal.aborted) {
      const begun = performance.now();
      await this.#gone;
      if (this.#stopped.signal.aborted) return;
      this.#deaths = performance.now() - begun > HEALTHY_MS ? 1 : this.#deaths + 1;
      const pause = Math.min(LONGEST_PAUSE_MS, pauseMs * 2 ** (this.#deaths - 1));
      onProgress?.(`worker ${this.#number} died; started again in ${pause} ms, see ${this.#log}`);
      await delay(pause, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
      if (this.#stopped.signal.aborted) return;
      await this.#launch().then(
        () => onProgress?.(`worker ${this.#number} is back`),
        (error: unknown) => onProgress?.((error as Error).message),
      );
    }
  }

  async #launch(): Promise<void> {
    const { command = [WORKER, '--role', 'all'], env, readyMs = 120_000 } = this.#options;
    const log = openSync(this.#log, 'a', 0o600);
    const from = statSync(this.#log).size;
    // A group of its own: Ctrl-C in the terminal reaches us only, and we stop it in order. It ends itself when the
    // channel to us closes, however we died.
    const child = spawn(process.execPath, [...NODE_FLAGS, ...command], {
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
    this.#gone = new Promise((gone) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.#child = undefined;
        this.#before = mergeMetrics([this.#before, growingMetrics(this.#told)]);
        this.#told = '';
        reject(this.#failure(`it ended with ${signal ?? `code ${code}`}`, from));
        gone();
      });
    });
    child.on('message', (message) => {
      if ((message as { type?: unknown } | null)?.type === 'ready') resolve();
    });
    const timer = setTimeout(() => {
      reject(this.#failure(`it was not ready within ${readyMs} ms`, from));
      child.kill('SIGKILL');
    }, readyMs);
    try {
      await ready;
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(why: string, from: number): ChimeraError {
    // The log may be gone with its folder; what is to be said of the worker is said even so.
    const tail = existsSync(this.#log)
      ? readFileSync(this.#log).subarray(from).toString('utf8').trim().split('\n').slice(-15).join('\n')
      : '';
    return new ChimeraError('CHIMERA_SETUP', { what: `worker ${this.#number}`, why: `${why}${tail && `:\n${tail}`}` });
  }
}
