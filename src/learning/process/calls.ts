import { fork, type ChildProcess } from 'node:child_process';
import { ChimeraError, isChimeraError, type ErrorCode, type ErrorDetails } from '../../contracts/errors.ts';

/*
 * Calls into a process of one's own. A run of a graph blocks its thread for as long as it takes, and a killed process is the only
 * cancellation that always works: so models run where nobody waits for a heartbeat.
 */

/** The calls that a process answers, by name. */
export type Calls = Readonly<Record<string, { readonly input: unknown; readonly output: unknown }>>;

interface Request {
  readonly id: number;
  readonly name: string;
  readonly input: unknown;
}

type Answer =
  | { readonly id: number; readonly output: unknown }
  | {
      readonly id: number;
      readonly error: { readonly code: ErrorCode; readonly message: string; readonly details: ErrorDetails };
    };

/** Answers calls one after another until the parent is gone. For the program of a child process. */
export function answerCalls<C extends Calls>(handlers: {
  readonly [N in keyof C]: (input: C[N]['input']) => Promise<C[N]['output']>;
}): void {
  let last: Promise<unknown> = Promise.resolve();
  process.on('disconnect', () => process.exit(0));
  process.on('message', ({ id, name, input }: Request) => {
    last = last.then(async () => {
      try {
        process.send!({ id, output: await handlers[name as keyof C](input) } satisfies Answer);
      } catch (error) {
        process.send!({ id, error: plain(error) } satisfies Answer);
      }
    });
  });
}

function plain(error: unknown): Extract<Answer, { error: unknown }>['error'] {
  if (isChimeraError(error)) return { code: error.code, message: error.message, details: error.details };
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: 'CHIMERA_MODEL_CRASHED', message: why, details: { why } };
}

/** What native code reads, and nothing of ours: where libraries and drivers are found, and which cards may be used. */
function environment(): NodeJS.ProcessEnv {
  const { PATH, HOME, LD_LIBRARY_PATH, CUDA_VISIBLE_DEVICES, VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  // CUDA's libraries would round factors of single precision to ten bits.
  const { NVIDIA_TF32_OVERRIDE = '0' } = process.env;
  const drivers = { CUDA_VISIBLE_DEVICES, NVIDIA_TF32_OVERRIDE, VK_DRIVER_FILES, VK_ICD_FILENAMES };
  return { PATH, HOME, LD_LIBRARY_PATH, ...drivers };
}

/** A process that answers calls. */
export class CallProcess<C extends Calls> {
  readonly #child: ChildProcess;
  readonly #open = new Map<number, { resolve: (output: never) => void; reject: (error: Error) => void }>();
  #calls = 0;
  #end: string | undefined;

  /**
   * @param entry the program, which calls {@link answerCalls}
   * @param quiet nobody reads what native libraries print
   */
  constructor(entry: string, { quiet = false } = {}) {
    this.#child = fork(entry, [], {
      serialization: 'advanced',
      env: environment(),
      execArgv: [],
      stdio: ['ignore', 'ignore', quiet ? 'ignore' : 'inherit', 'ipc'],
    });
    this.#child.on('message', (answer: Answer) => {
      const waiting = this.#open.get(answer.id);
      this.#open.delete(answer.id);
      if ('error' in answer) waiting?.reject(new ChimeraError(answer.error.code, answer.error.details));
      else waiting?.resolve(answer.output as never);
    });
    this.#child.on('error', ({ message }) => this.#ended(message));
    this.#child.on('exit', (code, signal) => this.#ended(signal ?? `it ended with ${code}`));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws what the handler throws; `CHIMERA_MODEL_CRASHED` where the process dies first */
  call<N extends keyof C & string>(name: N, input: C[N]['input']): Promise<C[N]['output']> {
    if (this.#end !== undefined) return Promise.reject(this.#died());
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.#child.send({ id, name, input } satisfies Request, (error) => {
        if (error !== null) this.#ended(error.message);
      });
    });
  }

  /** Ends the process at once. What is under way is lost. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #ended(why: string): void {
    this.#end ??= why;
    for (const { reject } of this.#open.values()) reject(this.#died());
    this.#open.clear();
  }

  #died(): ChimeraError {
    return new ChimeraError('CHIMERA_MODEL_CRASHED', { why: this.#end ?? 'unknown' });
  }
}
