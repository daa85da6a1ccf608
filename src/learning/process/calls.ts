import { fork, type ChildProcess } from 'node:child_process';
import { ChimeraError } from '../../contracts/errors.ts';
import { Channel, type CallOptions, type Calls, type Handlers, type Message } from './channel.ts';
import { modelEnvironment } from './environment.ts';

/*
 * Calls into a process of one's own. A run of a graph blocks its thread for as long as it takes, and a killed process is the only
 * cancellation that always works: so models run where nobody waits for a heartbeat.
 */

/** No calls. */
export type None = Readonly<Record<never, never>>;

/**
 * Answers calls until the parent is gone. For the program of a child process.
 * @param together several calls are answered at a time; otherwise one after another
 * @returns what calls the parent
 */
export function answerCalls<C extends Calls, Asked extends Calls = None>(
  handlers: Handlers<C>,
  { together = false } = {},
): Channel<C, Asked>['call'] {
  // Whoever listens no longer is gone, and so is this process soon.
  const channel = new Channel<C, Asked>((message) => void process.send!(message, () => {}), handlers, !together);
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: Message) => channel.receive(message));
  return channel.call.bind(channel) as Channel<C, Asked>['call'];
}

/** A process that answers calls, and may make some itself. */
export class CallProcess<C extends Calls, Asked extends Calls = None> {
  readonly #child: ChildProcess;
  readonly #channel: Channel<Asked, C>;
  readonly #exit: Promise<void>;
  #end: string | undefined;

  /**
   * @param entry the program, which calls {@link answerCalls}
   * @param answers what it may ask
   * @param quiet nobody reads what native libraries print
   */
  constructor(entry: string, answers: Handlers<Asked>, { quiet = false } = {}) {
    this.#child = fork(entry, [], {
      serialization: 'advanced',
      env: modelEnvironment(),
      execArgv: [],
      stdio: ['ignore', 'ignore', quiet ? 'ignore' : 'inherit', 'ipc'],
    });
    const post = (message: Message): void =>
      void this.#child.send(message, (error) => {
        if (error !== null) this.#ended(error.message);
      });
    this.#channel = new Channel(post, answers, false);
    this.#child.on('message', (message: Message) => this.#channel.receive(message));
    this.#child.on('error', ({ message }) => this.#ended(message));
    this.#exit = new Promise((resolve) => {
      this.#child.on('exit', (code, signal) => {
        this.#ended(signal ?? `it ended with ${code}`);
        resolve();
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /**
   * @throws what the handler throws; `CHIMERA_MODEL_CRASHED` where the process dies first; `CHIMERA_CANCELLED` at once when the
   * signal is aborted
   */
  call<N extends keyof C & string>(name: N, input: C[N]['input'], options?: CallOptions): Promise<C[N]['output']> {
    if (!this.ended) return this.#channel.call(name, input, options);
    options?.onOver?.();
    return Promise.reject(this.#died());
  }

  /** Ends the process at once. What is under way is lost. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Ends the process and waits until it is gone; what is under way is cancelled. */
  async close(): Promise<void> {
    this.#channel.end(() => new ChimeraError('CHIMERA_CANCELLED', { what: 'the request' }));
    this.kill();
    // One that could not be started has no exit to wait for.
    if (this.pid !== undefined) await this.#exit;
  }

  #ended(why: string): void {
    if (this.ended) return;
    this.#end = why;
    // It may still run where its channel broke.
    this.kill();
    this.#channel.end(() => this.#died());
  }

  #died(): ChimeraError {
    return new ChimeraError('CHIMERA_MODEL_CRASHED', { why: this.#end ?? 'unknown' });
  }
}
