import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { sizeOf } from './cache.ts';

/** How often a download is taken up again after it broke off; each time bytes must have come. */
const ATTEMPTS = 5;
const REDIRECTS = 5;

export interface Limits {
  /** Until a server answers. */
  readonly connectMs: number;
  /** Without a byte. */
  readonly idleMs: number;
}

export interface Download {
  readonly url: string;
  /** Where the bytes are written to. What lies there is the beginning of an earlier download. */
  readonly path: string;
  /** How many there must be. */
  readonly bytes: number;
  /** `https://host:port`: redirects may lead here, or to any server by https. */
  readonly origins: ReadonlySet<string>;
  readonly limits: Limits;
  /** Called with how many bytes lie at `path`. */
  readonly onBytes: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** The connection ended too early; what has come is there. */
class BrokenOff extends Error {}

/**
 * Downloads a file. Goes on where an earlier download ended, if the server agrees about the place (RFC 9110, 14.2), and
 * begins anew if not. What has come stays when it fails, unless the server has another file.
 * @throws {Error} that says why
 */
export async function download(request: Download): Promise<void> {
  const { path, signal } = request;
  for (let attempt = 1; ; attempt += 1) {
    const before = sizeOf(path);
    try {
      return await receive(request, before);
    } catch (error) {
      const again = error instanceof BrokenOff && attempt < ATTEMPTS && sizeOf(path) > before;
      if (!again || signal?.aborted === true) throw error;
    }
  }
}

async function receive(request: Download, have: number): Promise<void> {
  const { path, bytes, limits, onBytes, signal } = request;
  const deadline = new Deadline(signal);
  try {
    deadline.set(limits.connectMs, `no answer within ${limits.connectMs} ms`);
    let response = await get(request, have, deadline);
    let start = have;
    if (response.status === 416 || (response.status === 206 && !continues(response, have, bytes))) {
      await response.body?.cancel();
      response = await get(request, 0, deadline);
    }
    if (response.status === 200) start = 0;
    else if (response.status !== 206 || start === 0) throw new Error(`HTTP ${response.status}`);
    const announced = response.headers.get('content-length');
    if (response.body === null || (announced !== null && start + Number(announced) !== bytes))
      throw new Error(`it has ${start + Number(announced)} bytes, pinned are ${bytes}`);
    deadline.set(limits.idleMs, `no byte for ${limits.idleMs} ms`);
    let got = start;
    let broken: unknown;
    const counted = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      try {
        for await (const chunk of chunks) {
          deadline.restart();
          got += chunk.length;
          if (got > bytes) return;
          onBytes(got);
          yield chunk;
        }
      } catch (error) {
        // Not thrown from here: what has come is still to be written.
        broken = deadline.reason ?? error;
      }
    };
    await pipeline(counted(response.body), createWriteStream(path, { flags: start === 0 ? 'w' : 'a' }));
    if (got > bytes) {
      await rm(path);
      throw new Error(`it has more than the pinned ${bytes} bytes`);
    }
    if (got < bytes)
      throw new BrokenOff(
        `broke off after ${got} of ${bytes} bytes${broken === undefined ? '' : `: ${reason(broken)}`}`,
      );
  } finally {
    deadline.close();
  }
}

/** The answer of the server that redirects lead to. */
async function get({ url, origins }: Download, from: number, deadline: Deadline): Promise<Response> {
  let at = new URL(url);
  for (let hops = 0; hops <= REDIRECTS; hops += 1) {
    // A coding of the content would make its bytes other ones.
    const headers = { 'accept-encoding': 'identity', ...(from === 0 ? {} : { range: `bytes=${from}-` }) };
    const response = await fetch(at, { redirect: 'manual', headers, signal: deadline.signal }).catch(
      (error: unknown) => {
        throw new Error(reason(deadline.reason ?? error), { cause: error });
      },
    );
    deadline.restart();
    const location = response.headers.get('location');
    if (response.status < 300 || response.status > 399 || location === null) return response;
    await response.body?.cancel();
    const next = new URL(location, at);
    if (next.protocol !== 'https:' && !origins.has(next.origin))
      throw new Error(`it redirects to ${next.origin}, which is neither https nor named in the manifest`);
    at = next;
  }
  throw new Error(`it redirects more than ${REDIRECTS} times`);
}

/** Is this the rest of our file, and from where we asked? */
function continues(response: Response, from: number, bytes: number): boolean {
  return response.headers.get('content-range') === `bytes ${from}-${bytes - 1}/${bytes}`;
}

/** What `fetch` failed of: its own message says no more than that it did. */
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  const { code, message: inner } = (cause ?? {}) as NodeJS.ErrnoException;
  return inner || code || message;
}

/** Aborts when a time has passed, or with the caller's signal. */
class Deadline {
  readonly #expired = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  readonly signal: AbortSignal;

  constructor(signal: AbortSignal | undefined) {
    this.signal = signal === undefined ? this.#expired.signal : AbortSignal.any([signal, this.#expired.signal]);
  }

  /** Why the time has run out; undefined while it has not. */
  get reason(): unknown {
    return this.#expired.signal.aborted ? this.#expired.signal.reason : undefined;
  }

  set(ms: number, message: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#expired.abort(new Error(message)), ms);
  }

  restart(): void {
    this.#timer?.refresh();
  }

  /** Ends what is still under way: an answer that nobody reads. */
  close(): void {
    clearTimeout(this.#timer);
    this.#expired.abort();
  }
}
