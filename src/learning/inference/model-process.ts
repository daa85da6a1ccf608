import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ChimeraError } from '../../contracts/errors.ts';
import {
  fromPlain,
  toPlain,
  type EngineSettings,
  type Findings,
  type FromChild,
  type InferenceCalls,
  type ToChild,
} from './protocol.ts';

const PROGRAM = fileURLToPath(new URL('./child.ts', import.meta.url));

/** Finds what the process asks for. */
export type Find = { readonly [W in keyof Findings]: (name: string) => Promise<Findings[W]> };

interface Call {
  readonly onText: ((text: string) => void) | undefined;
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** One process that runs models, from its start to its death. */
export class ModelProcess {
  readonly #child: ChildProcess;
  readonly #find: Find;
  readonly #calls = new Map<number, Call>();
  readonly #exit: Promise<void>;
  #count = 0;
  #why: string | undefined;

  constructor(settings: EngineSettings, find: Find) {
    this.#find = find;
    // It needs none of the secrets that may be in the environment; the path is what the runtime's library is found by.
    const { PATH, HOME, LD_LIBRARY_PATH } = process.env;
    this.#child = fork(PROGRAM, [], {
      serialization: 'advanced',
      env: { PATH, HOME, LD_LIBRARY_PATH },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: FromChild) => this.#receive(message));
    this.#child.on('error', ({ message }) => this.#end(message));
    this.#exit = new Promise((resolve) => {
      this.#child.on('exit', (code, signal) => {
        this.#end(signal ?? `exit code ${code}`);
        resolve();
      });
    });
    this.#post({ type: 'open', settings });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get ended(): boolean {
    return this.#why !== undefined;
  }

  /** @throws what the engine throws; `CHIMERA_CANCELLED` at once when the signal is; `CHIMERA_MODEL_CRASHED` */
  call<N extends keyof InferenceCalls>(
    name: N,
    given: InferenceCalls[N]['request'],
  ): Promise<InferenceCalls[N]['answer']> {
    const { signal, onText, ...request } = given as InferenceCalls['generate']['request'];
    const id = this.#count++;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#calls.delete(id);
        signal?.removeEventListener('abort', abort);
      };
      const call: Call = {
        onText,
        resolve: (answer) => {
          settle();
          resolve(answer as InferenceCalls[N]['answer']);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const abort = (): void => {
        call.reject(new ChimeraError('CHIMERA_CANCELLED', { what: 'the request' }));
        this.#post({ type: 'cancel', id });
      };
      this.#calls.set(id, call);
      signal?.addEventListener('abort', abort);
      this.#post({ type: 'call', id, name, request });
    });
  }

  /** Ends the process; what is under way is cancelled. */
  async close(): Promise<void> {
    for (const { reject } of this.#calls.values())
      reject(new ChimeraError('CHIMERA_CANCELLED', { what: 'the request' }));
    this.#child.kill('SIGKILL');
    // One that could not be started has no exit to wait for.
    if (this.#child.pid !== undefined) await this.#exit;
  }

  #post(message: ToChild): void {
    this.#child.send(message, (error) => {
      if (error !== null) this.#end(error.message);
    });
  }

  #receive(message: FromChild): void {
    switch (message.type) {
      case 'find': {
        const { id, what, name } = message;
        this.#find[what](name).then(
          (value) => this.#post({ type: 'found', id, value }),
          (error: unknown) => this.#post({ type: 'lost', id, error: toPlain(error) }),
        );
        return;
      }
      case 'text':
        this.#calls.get(message.id)?.onText?.(message.text);
        return;
      case 'answer':
        this.#calls.get(message.id)?.resolve(message.answer);
        return;
      case 'failed':
        this.#calls.get(message.id)?.reject(fromPlain(message.error));
    }
  }

  #end(why: string): void {
    if (this.ended) return;
    this.#why = why;
    this.#child.kill('SIGKILL');
    for (const { reject } of this.#calls.values()) reject(new ChimeraError('CHIMERA_MODEL_CRASHED', { why }));
  }
}
