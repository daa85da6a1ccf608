import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ChimeraError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/records.ts';
import { allows } from '../../core/execution/allow.ts';
import { unlessAborted } from '../abort.ts';
import { failure, type EffectAnswer, type EffectCall, type EffectFailure } from '../answer.ts';
import type { Breakers, Outcome } from '../breaker.ts';
import { mayConnect, type Reachable } from './addresses.ts';
import { exchange, redirectOf, type Fault, type HttpResponse } from './exchange.ts';
import { redirected, type Hop } from './redirect.ts';
import type { HttpRequest } from './request.ts';
import { literalAddress, systemResolve, type Resolve } from './resolve.ts';

/** What holds for the http effects of one agent. */
export interface HttpPolicy {
  /** The allow-list of its manifest. */
  readonly allow: readonly string[];
  /** What the operator opened beside public addresses. */
  readonly reachable: Reachable;
  readonly breakers: Breakers;
  /** For the whole effect, from the first name to the last byte, redirects and retries included, in milliseconds. */
  readonly timeoutMs: number;
  readonly headerBytes: number;
  readonly bodyBytes: number;
  readonly redirects: number;
  /** Before each retry of a method that may be repeated, where no answer came. */
  readonly retryDelaysMs: readonly number[];
  readonly resolve?: Resolve;
  /** Certificates to trust instead of the machine's, PEM. */
  readonly ca?: string;
}

export const HTTP_LIMITS = {
  timeoutMs: 30_000,
  headerBytes: 16_384,
  bodyBytes: 1_048_576,
  redirects: 5,
  retryDelaysMs: [200, 1000],
} as const satisfies Partial<HttpPolicy>;

/** What an agent is told of an answer's headers, in this order. */
const TOLD_HEADERS = [
  'content-type',
  'content-encoding',
  'content-language',
  'etag',
  'last-modified',
  'cache-control',
  'link',
  'location',
  'retry-after',
  'www-authenticate',
] as const satisfies (keyof IncomingHttpHeaders)[];

const SAFE = new Set(['GET', 'HEAD']);
/** May be sent again when nobody knows whether it arrived (RFC 9110, section 9.2.2). */
const REPEATABLE = new Set([...SAFE, 'PUT', 'DELETE']);

/**
 * Performs an `http` effect. Every hop goes through the same walls: the manifest's allow-list, the addresses of the name (all
 * of them, and the connection is pinned to them), size and time. The answer is `{status, url, headers, text | base64}`, text
 * where the body is UTF-8 without control characters, whatever the status. Throws only `CHIMERA_CANCELLED`, when `call.signal` is
 * aborted: then nothing is known of the effect.
 */
export async function performHttp(request: HttpRequest, policy: HttpPolicy, call: EffectCall): Promise<EffectAnswer> {
  const timeoutMs = Math.min(request.timeoutMs ?? policy.timeoutMs, policy.timeoutMs);
  const time = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([time, call.signal]);
  if (call.signal.aborted) throw cancelled();
  const run: Run = { policy, call, signal, timeoutMs };
  const { method, headers, body } = request;
  let hop: Hop = { method, headers, url: new URL(request.url), ...(body === undefined ? {} : { body }) };
  for (let redirects = 0; ; redirects++) {
    const { origin, pathname, host } = hop.url;
    if (!allows(policy.allow, hop.url.href)) {
      return failure('CHIMERA_FORBIDDEN', `the manifest does not allow ${`${origin}${pathname}`.slice(0, 200)}`);
    }
    const result = await policy.breakers.run(
      // What happens to one tenant's calls says nothing to another.
      `http ${call.project} ${host}`,
      () => attempts(hop, run),
      () => failure('CHIMERA_UNREACHABLE', `${host} is not reachable: circuit open`),
    );
    if (call.signal.aborted) throw cancelled();
    if ('ok' in result) return result;
    const location = redirectOf(result.status, result.headers);
    if (location === undefined) return { ok: true, body: answerOf(result, hop.url) };
    if (redirects === policy.redirects) {
      return failure('CHIMERA_FORBIDDEN', `more than ${policy.redirects} redirects`);
    }
    const next = redirected(hop, result.status, location);
    if (typeof next === 'string') return failure('CHIMERA_FORBIDDEN', `the redirect of ${host} ${next}`);
    hop = next;
  }
}

const cancelled = (): ChimeraError => new ChimeraError('CHIMERA_CANCELLED', { what: 'the http effect' });

interface Run {
  readonly policy: HttpPolicy;
  readonly call: EffectCall;
  /** Aborted when the call is cancelled or out of time. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

async function attempts(hop: Hop, run: Run): Promise<Outcome<HttpResponse | EffectFailure>> {
  const { policy, call, signal, timeoutMs } = run;
  const delays = REPEATABLE.has(hop.method) ? policy.retryDelaysMs : [];
  for (let attempt = 0; ; attempt++) {
    const result = await attemptOnce(hop, run);
    if (result.kind === 'response') return { value: result, health: 'well' };
    if (!signal.aborted && result.transient && attempt < delays.length) {
      // An abort ends the wait as well; what follows sees it.
      await delay(delays[attempt], undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) continue;
    }
    if (signal.aborted) {
      // Whoever waits less than the policy allows learns nothing about the host.
      const health = !call.signal.aborted && timeoutMs === policy.timeoutMs ? 'ill' : 'unknown';
      return { value: failure('CHIMERA_WALL_DEADLINE', `the answer took longer than ${timeoutMs} ms`), health };
    }
    return { value: told(result, hop.url.host), health: result.code === 'CHIMERA_UNREACHABLE' ? 'ill' : 'unknown' };
  }
}

function told({ code, why }: Fault, host: string): EffectFailure {
  switch (code) {
    case 'CHIMERA_FORBIDDEN':
      return failure(code, `${host} is not allowed: ${why}`);
    case 'CHIMERA_UNREACHABLE':
      return failure(code, `${host} is not reachable: ${why}`);
    default:
      return failure(code, why);
  }
}

async function attemptOnce(hop: Hop, { policy, call, signal }: Run): Promise<HttpResponse | Fault> {
  const { hostname, protocol } = hop.url;
  const port = Number(hop.url.port || (protocol === 'https:' ? 443 : 80));
  const literal = literalAddress(hostname);
  const resolving = literal === undefined ? (policy.resolve ?? systemResolve)(hostname, signal) : [literal];
  // A resolver cannot be stopped, only left.
  const resolved = await unlessAborted(resolving, signal).catch(() => undefined);
  const addresses = resolved?.value ?? [];
  if (addresses.length === 0) {
    return { kind: 'fault', code: 'CHIMERA_UNREACHABLE', why: 'the name does not resolve', transient: true };
  }
  const permitted = (address: string, at: number): boolean => mayConnect(address, at, policy.reachable);
  // One that may not be reached condemns them all: a name that points inside and outside is no accident.
  if (!addresses.every(({ address }) => permitted(address, port))) {
    return { kind: 'fault', code: 'CHIMERA_FORBIDDEN', why: 'its address may not be reached', transient: false };
  }
  // Hashed: the host has no business with names of projects and executions.
  const headers = SAFE.has(hop.method)
    ? hop.headers
    : { ...hop.headers, 'idempotency-key': hash('sha256', call.idempotencyKey) };
  const { headerBytes, bodyBytes, ca } = policy;
  return exchange({
    ...hop,
    headers,
    addresses,
    mayConnect: (address, at) => at === port && permitted(address, at),
    headerBytes,
    bodyBytes,
    signal,
    ...(ca === undefined ? {} : { ca }),
  });
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Control characters would take six bytes each in JSON: such a body is cheaper, and more honest, in base64. */
const CONTROL = /[^\P{Cc}\t\n\r]/u;

function answerOf({ status, headers, body }: HttpResponse, url: URL): JsonObject {
  const told = TOLD_HEADERS.map((name) => [name, headers[name]] as const).filter(([, value]) => value !== undefined);
  return { status, url: url.href, headers: Object.fromEntries(told) as JsonObject, ...bodyOf(body) };
}

function bodyOf(body: Uint8Array): JsonObject {
  try {
    const text = utf8.decode(body);
    if (!CONTROL.test(text)) return { text };
  } catch {
    // Not UTF-8.
  }
  return { base64: Buffer.from(body).toString('base64') };
}
