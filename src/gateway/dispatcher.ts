import { setTimeout as delay } from 'node:timers/promises';
import { failpoint } from '../contracts/failpoint.ts';
import type { Client } from '@temporalio/client';
import type { Stores } from '../stores/index.ts';
import { createStarter, type Starter } from './starter.ts';

export interface DispatcherOptions {
  readonly stores: Pick<Stores, 'tasks' | 'batches' | 'projects' | 'taskTypes' | 'deployments' | 'audit' | 'listen'>;
  readonly temporal: Client;
  readonly queuePrefix?: string;
  /** Looks for work that nobody announced this often, in ms. */
  readonly pollMs?: number;
  /**
   * A single task younger than this is left alone, in ms: the gateway that accepted it starts it itself. 0 where no
   * gateway does.
   */
  readonly graceMs?: number;
  /** Feedback deadlines are recorded and audit events sealed this often, in ms. */
  readonly housekeepingMs?: number;
  /** Looks for streams without a monitor this often, in ms. */
  readonly watchMs?: number;
  /** Rows read at a time. */
  readonly pageSize?: number;
  /** Starts under way at a time. */
  readonly concurrency?: number;
  readonly log?: { warn(details: object, message: string): void };
}

export interface Dispatcher {
  /** Runs until the signal is aborted; resolves when nothing is under way any more. Never throws. */
  run(signal: AbortSignal): Promise<void>;
  /** One look: starts what is there and returns how many workflows were started. Throws what failed. */
  dispatchOnce(): Promise<number>;
  /** One round of housekeeping. */
  housekeepOnce(): Promise<void>;
  /** Makes sure that the stream of every task type with a deployment has its monitor, whoever deployed it. */
  watchOnce(): Promise<void>;
}

const LONGEST_BACKOFF_MS = 30_000;
/** A monitor that was seen is looked for again after this: somebody may have ended it. */
const SEEN_MS = 60_000;

/**
 * The outbox: the accept row says what is to be started, this starts it. Any number of dispatchers may run, and each may
 * die anywhere: starting again finds the run that there is, and a row stays until its start was marked.
 */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { stores, temporal, queuePrefix, pollMs = 1_000, housekeepingMs = 5_000, watchMs = 2_000, log } = options;
  const starter = createStarter({ temporal, ...(queuePrefix === undefined ? {} : { queuePrefix }) });
  const outbox = new Outbox(options, starter);

  const housekeepOnce = async (): Promise<void> => {
    await stores.tasks.expireFeedback(new Date());
    for (const project of await stores.projects.list()) await stores.audit.seal(project);
  };

  const seen = new Map<string, number>();
  const watchOnce = async (): Promise<void> => {
    for (const project of await stores.projects.list()) {
      for (const { name: taskType } of await stores.taskTypes.list(project)) {
        const key = `${project}/${taskType}`;
        if (performance.now() - (seen.get(key) ?? -Infinity) < SEEN_MS) continue;
        if ((await stores.deployments.current(project, taskType)) === undefined) continue;
        await starter.monitor({ project, taskType });
        seen.set(key, performance.now());
      }
    }
  };

  const loop = async (
    name: string,
    signal: AbortSignal,
    work: () => Promise<boolean>,
    pause: () => Promise<void>,
  ): Promise<void> => {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const more = await work();
        failures = 0;
        if (!more) await pause();
      } catch (err) {
        failures += 1;
        const backoff = Math.min(LONGEST_BACKOFF_MS, 100 * 2 ** failures);
        log?.warn({ err, failures }, `${name} failed; trying again in ${backoff} ms`);
        await sleep(backoff, signal);
      }
    }
  };

  return {
    dispatchOnce: () => outbox.dispatch(),
    housekeepOnce,
    watchOnce,
    async run(signal) {
      const bell = new Bell();
      const listening = stores
        .listen('chimera_accepted', () => bell.ring())
        .catch((err: unknown) => {
          log?.warn({ err }, 'no notifications; polling only');
          return undefined;
        });
      await Promise.all([
        loop(
          'dispatching',
          signal,
          async () => (await outbox.dispatch()) > 0,
          () => bell.wait(pollMs, signal),
        ),
        loop(
          'housekeeping',
          signal,
          async () => {
            await housekeepOnce();
            return false;
          },
          () => sleep(housekeepingMs, signal),
        ),
        loop(
          'watching streams',
          signal,
          async () => {
            await watchOnce();
            return false;
          },
          () => sleep(watchMs, signal),
        ),
      ]);
      await (await listening)?.close();
    },
  };
}

class Outbox {
  readonly #options: DispatcherOptions;
  readonly #starter: Starter;

  constructor(options: DispatcherOptions, starter: Starter) {
    this.#options = options;
    this.#starter = starter;
  }

  async dispatch(): Promise<number> {
    const { stores, pageSize = 500, graceMs = 0 } = this.#options;
    const [tasks, batches] = await Promise.all([
      stores.tasks.undispatched(pageSize),
      stores.batches.undispatched(pageSize),
    ]);
    const youngest = Date.now() - graceMs;
    const due = tasks.filter((task) => graceMs === 0 || Date.parse(task.acceptedAt) <= youngest);
    const startedTasks = await this.#startAll(due, (task) => this.#starter.task(task));
    for (const [project, group] of Map.groupBy(startedTasks.done, ({ project }) => project))
      await stores.tasks.markDispatched(
        project,
        group.map(({ taskId }) => taskId),
      );
    const startedBatches = await this.#startAll(batches, (batch) => this.#starter.batch(batch));
    for (const { project, batchId } of startedBatches.done) await stores.batches.markDispatched(project, batchId);
    const [failed] = [...startedTasks.failed, ...startedBatches.failed];
    // What was started is marked; the rest stays in the outbox and is tried again after a pause.
    if (failed !== undefined) throw failed.error;
    return startedTasks.done.length + startedBatches.done.length;
  }

  async #startAll<T>(
    items: readonly T[],
    start: (item: T) => Promise<unknown>,
  ): Promise<{ done: T[]; failed: { error: unknown }[] }> {
    const done: T[] = [];
    const failed: { error: unknown }[] = [];
    let next = 0;
    const lane = async (): Promise<void> => {
      // When Temporal is away, five hundred more timeouts tell nothing new. A row that it refuses holds up no other.
      while (next < items.length && !failed.some(({ error }) => isAway(error))) {
        const item = items[next]!;
        next += 1;
        failpoint('accept.dispatch');
        try {
          await start(item);
          failpoint('accept.dispatch');
          done.push(item);
        } catch (error) {
          failed.push({ error });
        }
      }
    };
    await Promise.all(Array.from({ length: this.#options.concurrency ?? 16 }, lane));
    return { done, failed };
  }
}

const GRPC_AWAY: readonly unknown[] = [4, 14]; // DEADLINE_EXCEEDED, UNAVAILABLE

function isAway(error: unknown): boolean {
  for (let inner = error; inner instanceof Error; inner = inner.cause)
    if (GRPC_AWAY.includes((inner as { code?: unknown }).code)) return true;
  return false;
}

/** Rung by notifications; a ring while nobody waits is not lost. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, ms);
      const stop = (): void => resolve();
      signal.addEventListener('abort', stop, { once: true });
      await promise;
      signal.removeEventListener('abort', stop);
      clearTimeout(timer);
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
