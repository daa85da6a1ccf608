import { ChimeraError, isChimeraError, type ErrorCode, type ErrorDetails } from '../../contracts/errors.ts';

/** Calls by name: what goes in and what comes back. */
export type Calls = Readonly<Record<string, { readonly input: unknown; readonly output: unknown }>>;

/** What the other side of a channel is told. */
export type Message =
  | { readonly type: 'call'; readonly id: number; readonly name: string; readonly input: unknown }
  | { readonly type: 'cancel'; readonly id: number }
  /** Something on the way to an answer. */
  | { readonly type: 'event'; readonly id: number; readonly event: unknown }
  | { readonly type: 'answer'; readonly id: number; readonly output: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly code: ErrorCode; readonly details: ErrorDetails };

/** What a handler is told of the one who calls. */
export interface CallContext {
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Tells whoever calls something before the answer. */
  readonly emit: (event: unknown) => void;
}

export type Handlers<C extends Calls> = {
  readonly [N in keyof C]: (input: C[N]['input'], context: CallContext) => Promise<C[N]['output']>;
};

export interface CallOptions {
  /** Whoever waits is told at once, and the other side may stop. */
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: unknown) => void) | undefined;
  /** Called once when the other side is through with the call or gone: for a cancelled one after whoever waits was told. */
  readonly onOver?: (() => void) | undefined;
}

interface Waiting {
  onEvent: CallOptions['onEvent'];
  resolve(output: unknown): void;
  reject(error: Error): void;
}

/** Calls between two processes, in both directions: `Mine` are those that this side answers, `Theirs` those of the other one. */
export class Channel<Mine extends Calls, Theirs extends Calls> {
  readonly #post: (message: Message) => void;
  readonly #handlers: Handlers<Mine>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #working = new Map<number, AbortController>();
  readonly #inOrder: boolean;
  #last: Promise<unknown> = Promise.resolve();
  #calls = 0;

  /** @param inOrder whether a call is answered only after the one before it */
  constructor(post: (message: Message) => void, handlers: Handlers<Mine>, inOrder: boolean) {
    this.#post = post;
    this.#handlers = handlers;
    this.#inOrder = inOrder;
  }

  /** @throws what the handler throws, `CHIMERA_CANCELLED` once the signal is aborted, and what {@link end} is given */
  call<N extends keyof Theirs & string>(
    name: N,
    input: Theirs[N]['input'],
    { signal, onEvent, onOver }: CallOptions = {},
  ): Promise<Theirs[N]['output']> {
    const cancelled = (): ChimeraError => new ChimeraError('CHIMERA_CANCELLED', { what: 'the request' });
    if (signal?.aborted === true) {
      onOver?.();
      return Promise.reject(cancelled());
    }
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiting.delete(id);
        signal?.removeEventListener('abort', abort);
        onOver?.();
      };
      const waiting: Waiting = {
        onEvent,
        resolve: (output) => {
          settle();
          resolve(output);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      // The other side may be busy with it still: it is over when that answers, which nobody hears any more.
      const abort = (): void => {
        waiting.onEvent = undefined;
        reject(cancelled());
        this.#post({ type: 'cancel', id });
      };
      this.#waiting.set(id, waiting);
      signal?.addEventListener('abort', abort, { once: true });
      this.#post({ type: 'call', id, name, input });
    });
  }

  /** What the other side said. */
  receive(message: Message): void {
    switch (message.type) {
      case 'call':
        if (this.#inOrder) this.#last = this.#last.then(() => this.#answer(message));
        else void this.#answer(message);
        return;
      case 'cancel':
        this.#working.get(message.id)?.abort();
        return;
      case 'event':
        this.#waiting.get(message.id)?.onEvent?.(message.event);
        return;
      case 'answer':
        this.#waiting.get(message.id)?.resolve(message.output);
        return;
      case 'failed':
        this.#waiting.get(message.id)?.reject(new ChimeraError(message.code, message.details));
    }
  }

  /** Nothing will come any more: whoever waits is told. */
  end(error: () => Error): void {
    for (const { reject } of this.#waiting.values()) reject(error());
  }

  async #answer({ id, name, input }: Extract<Message, { type: 'call' }>): Promise<void> {
    const controller = new AbortController();
    this.#working.set(id, controller);
    try {
      const emit = (event: unknown): void => this.#post({ type: 'event', id, event });
      const handler = this.#handlers[name as keyof Mine];
      this.#post({ type: 'answer', id, output: await handler(input, { signal: controller.signal, emit }) });
    } catch (error) {
      this.#post({ type: 'failed', id, ...plain(error) });
    } finally {
      this.#working.delete(id);
    }
  }
}

/** What is no ChimeraError is a bug, of ours or of a library: whoever calls can try again. */
function plain(error: unknown): { code: ErrorCode; details: ErrorDetails } {
  if (isChimeraError(error)) return { code: error.code, details: error.details };
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: 'CHIMERA_INTERNAL', details: { why } };
}
