import { Buffer } from 'node:buffer';
import { ChimeraError, invalidInput } from '../../contracts/errors.ts';
import { retryAfterMs, type Attempt, type Fault } from './retries.ts';
import type { RemoteProviderOptions } from './types.ts';

export type Endpoint = Pick<RemoteProviderOptions, 'name' | 'baseUrl' | 'apiKey' | 'timeoutMs' | 'answerBytes'>;

/** One request. */
export interface Post {
  readonly path: '/chat/completions' | '/embeddings';
  /** By the provider's own name; what it does not know is told under this name. */
  readonly model: string;
  readonly body: unknown;
  /** Of the caller. */
  readonly signal: AbortSignal;
}

/** A stream that has begun. */
export interface OpenStream {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Takes its clocks away. */
  close(): void;
}

/** Silences that a stream may last in all. */
const STREAM_SILENCES = 10;
const ERROR_BYTES = 65_536;
const MAX_MESSAGE = 500;
/** What OpenAI and its likes say besides status 429 where an account has no money left. */
const SPENT = /"(?:code|type)"\s*:\s*"insufficient_quota"/;

/** Posts and reads the whole answer, as JSON. */
export async function postForJson(endpoint: Endpoint, post: Post): Promise<Attempt<unknown>> {
  const time = AbortSignal.timeout(endpoint.timeoutMs);
  try {
    const response = await send(endpoint, post, time, 'application/json');
    if (!(response instanceof Response)) return response;
    const text = await readText(bounded(endpoint, response));
    return { value: parseJson(endpoint, text) };
  } catch (error) {
    return faultOf(endpoint, post, time.aborted ? endpoint.timeoutMs : undefined, error);
  }
}

/** Posts and waits until the stream of the answer begins. */
export async function postForStream(endpoint: Endpoint, post: Post): Promise<Attempt<OpenStream>> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), endpoint.timeoutMs);
  const wholeMs = endpoint.timeoutMs * STREAM_SILENCES;
  const whole = AbortSignal.timeout(wholeMs);
  const time = AbortSignal.any([silence.signal, whole]);
  const lateMs = (): number | undefined =>
    silence.signal.aborted ? endpoint.timeoutMs : whole.aborted ? wholeMs : undefined;
  const close = (): void => clearTimeout(timer);
  try {
    const response = await send(endpoint, post, time, 'text/event-stream');
    if (!(response instanceof Response)) {
      close();
      return response;
    }
    const heard = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for await (const chunk of bounded(endpoint, response)) {
          timer.refresh();
          yield chunk;
        }
      } catch (error) {
        throw faultOf(endpoint, post, lateMs(), error).error;
      }
    };
    return { value: { bytes: heard(), close } };
  } catch (error) {
    close();
    return faultOf(endpoint, post, lateMs(), error);
  }
}

/** What the provider sends is not an answer. */
export function providerFailed({ name }: Pick<Endpoint, 'name'>, why: string): ChimeraError {
  return new ChimeraError('CHIMERA_PROVIDER_FAILED', { provider: name, why });
}

/** JSON of an answer. @throws {ChimeraError} CHIMERA_PROVIDER_FAILED */
export function parseJson(endpoint: Pick<Endpoint, 'name'>, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw providerFailed(endpoint, 'its answer is not JSON');
  }
}

/** A response with status 2xx and the media type that was asked for. Redirects are not followed: the key is for this URL only. */
async function send(endpoint: Endpoint, post: Post, time: AbortSignal, accept: string): Promise<Response | Fault> {
  const { baseUrl, apiKey } = endpoint;
  const response = await fetch(baseUrl.replace(/\/+$/, '') + post.path, {
    method: 'POST',
    headers: {
      accept,
      'content-type': 'application/json',
      'user-agent': 'chimera',
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    },
    body: JSON.stringify(post.body),
    redirect: 'manual',
    signal: AbortSignal.any([post.signal, time]),
  });
  if (!response.ok) return refusal(endpoint, post, response);
  const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type === accept) return response;
  await response.body?.cancel();
  throw providerFailed(endpoint, `its answer is ${type ?? 'of no media type'} instead of ${accept}`);
}

async function refusal(endpoint: Endpoint, { model }: Post, response: Response): Promise<Fault> {
  const { name, baseUrl } = endpoint;
  const { status, headers } = response;
  const text = await readText(bounded({ name: '', answerBytes: ERROR_BYTES }, response)).catch(() => '');
  const said = errorMessage(endpoint, text);
  const why = `it answers with status ${status}${said === undefined ? '' : `: ${said}`}`;
  // Who has to pay first may ask for ever.
  if (status === 429 && SPENT.test(text)) return { error: providerFailed(endpoint, why), transient: false };
  if (status === 429 || status >= 500) {
    const afterMs = retryAfterMs(headers.get('retry-after'), Date.now());
    const error =
      status === 429
        ? new ChimeraError('CHIMERA_RATE_LIMITED', {
            provider: name,
            problems: [{ path: '', message: `${name}: ${why}` }],
          })
        : new ChimeraError('CHIMERA_UNREACHABLE', { what: `provider ${name}`, where: baseUrl, why });
    return { error, transient: true, ...(afterMs === undefined ? {} : { afterMs }) };
  }
  if (status === 401 || status === 403)
    return { error: providerFailed(endpoint, `it refuses our key (status ${status})`), transient: false };
  if (status === 404)
    return {
      error: new ChimeraError('CHIMERA_NOT_FOUND', { what: `model of ${name}`, name: model }),
      transient: false,
    };
  if (status === 400 || status === 413 || status === 422)
    return { error: invalidInput('the request', [{ path: '', message: `${name}: ${why}` }]), transient: false };
  return { error: providerFailed(endpoint, why), transient: false };
}

/** What an error body says, shortened, and without our key should it repeat that; undefined where it is not one. */
export function errorMessage({ apiKey }: Pick<Endpoint, 'apiKey'>, text: string): string | undefined {
  const message = /"message"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  try {
    const said = message === undefined ? undefined : (JSON.parse(message) as string);
    return (apiKey === undefined ? said : said?.replaceAll(apiKey, '…'))?.slice(0, MAX_MESSAGE);
  } catch {
    return undefined;
  }
}

/** @param lateMs how long it had, where its time is over */
function faultOf({ name, baseUrl }: Endpoint, { signal }: Post, lateMs: number | undefined, error: unknown): Fault {
  if (error instanceof ChimeraError) return { error, transient: false };
  const fatal = (error: ChimeraError): Fault => ({ error, transient: false });
  if (signal.aborted) return fatal(new ChimeraError('CHIMERA_CANCELLED', { what: `the call of provider ${name}` }));
  if (lateMs !== undefined)
    return fatal(new ChimeraError('CHIMERA_WALL_DEADLINE', { what: `provider ${name}`, limit: lateMs }));
  // Without the error itself: its texts and fields are not ours, and may name what was sent.
  const { code } = ((error as Error).cause ?? {}) as { code?: string };
  const why = `the connection failed${code === undefined ? '' : ` (${code})`}`;
  return {
    error: new ChimeraError('CHIMERA_UNREACHABLE', { what: `provider ${name}`, where: baseUrl, why }),
    transient: true,
  };
}

/** The body, as long as it is not too long; leaving it early closes the connection. */
async function* bounded(
  endpoint: Pick<Endpoint, 'name' | 'answerBytes'>,
  { body }: Response,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > endpoint.answerBytes)
      throw providerFailed(endpoint, `its answer has more than ${endpoint.answerBytes} bytes`);
    yield chunk;
  }
}

async function readText(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
