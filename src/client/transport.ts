import { ChimeraApiError, errorOfAnswer, unreachable } from './errors.ts';

export interface RetryPolicy {
  /** Attempts altogether, the first included. */
  attempts: number;
  /** Wait before the second attempt, in ms; doubles each time. */
  initialMs: number;
  maximumMs: number;
}

export interface TransportOptions {
  baseUrl: string;
  apiKey?: string;
  fetch?: typeof fetch;
  retry?: Partial<RetryPolicy>;
}

export interface Call {
  method: 'GET' | 'POST';
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  /** Makes an NDJSON body anew for each attempt. */
  stream?: () => ReadableStream<Uint8Array>;
  /** May it be sent again after a failure? Only calls that the server recognises as the same. */
  repeatable: boolean;
  signal?: AbortSignal;
}

/** Sends calls, with retries: exponential backoff with full jitter, or what `Retry-After` says. */
export class Transport {
  readonly baseUrl: string;
  readonly #apiKey: string | undefined;
  readonly #fetch: typeof fetch;
  readonly #retry: RetryPolicy;

  constructor({ baseUrl, apiKey, fetch: send = fetch, retry = {} }: TransportOptions) {
    this.baseUrl = baseUrl.replace(/\/+$/, '');
    this.#apiKey = apiKey;
    this.#fetch = send;
    this.#retry = { attempts: 5, initialMs: 100, maximumMs: 5_000, ...retry };
  }

  async json<T>(call: Call): Promise<T> {
    const text = await this.text(call);
    return JSON.parse(text) as T;
  }

  async text(call: Call): Promise<string> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(call);
      } catch (error) {
        const again =
          call.repeatable && error instanceof ChimeraApiError && error.retryable && attempt < this.#retry.attempts;
        if (!again) throw error;
        await delay(this.#waitMs(attempt, error), call.signal);
      }
    }
  }

  #waitMs(attempt: number, error: ChimeraApiError): number {
    const asked = retryAfter.get(error);
    if (asked !== undefined) return Math.min(asked, 60_000);
    const { initialMs, maximumMs } = this.#retry;
    return Math.random() * Math.min(maximumMs, initialMs * 2 ** (attempt - 1));
  }

  async #once({ method, path, query = {}, headers = {}, json, stream, signal }: Call): Promise<string> {
    const url = new URL(this.baseUrl + path);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const init: RequestInit & { duplex?: 'half' } = {
      method,
      headers: {
        accept: 'application/json',
        ...(this.#apiKey === undefined ? {} : { authorization: `Bearer ${this.#apiKey}` }),
        ...headers,
      },
      ...(signal === undefined ? {} : { signal }),
    };
    if (stream !== undefined) {
      init.body = stream();
      init.duplex = 'half';
      init.headers = { ...init.headers, 'content-type': 'application/x-ndjson' };
    } else if (json !== undefined) {
      init.body = JSON.stringify(json);
      init.headers = { ...init.headers, 'content-type': 'application/json' };
    }
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(url, init);
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw sourceErrors.get(init.body as object) ?? unreachable(this.baseUrl, error);
    }
    if (response.ok) return text;
    const error = errorOfAnswer(response.status, text);
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    if (Number.isFinite(seconds)) retryAfter.set(error, seconds * 1000);
    throw error;
  }
}

const retryAfter = new WeakMap<ChimeraApiError, number>();

/** Errors of the caller's own iterable, so that they are not taken for errors of the network. */
const sourceErrors = new WeakMap<object, unknown>();

/** One JSON value a line, made as the network takes it. */
export function ndjson(items: Iterable<unknown> | AsyncIterable<unknown>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const iterator = (async function* () {
    let chunk = '';
    for await (const item of items) {
      chunk += `${JSON.stringify(item)}\n`;
      if (chunk.length >= 64 * 1024) {
        yield encoder.encode(chunk);
        chunk = '';
      }
    }
    if (chunk !== '') yield encoder.encode(chunk);
  })();
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        sourceErrors.set(stream, error);
        controller.error(error);
      }
    },
    async cancel() {
      await iterator.return();
    },
  });
  return stream;
}

/** Resolves after `ms`, rejects with the signal's reason when it is aborted first. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
