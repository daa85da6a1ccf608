import { Buffer } from 'node:buffer';
import { z } from 'zod';
import { parseInput } from '../../contracts/inputs.ts';
import type { JsonValue } from '../../contracts/records.ts';
import { canonicalJson } from '../../core/canonical/canonical.ts';

export const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type HttpMethod = (typeof HTTP_METHODS)[number];

/** A checked request of an agent. Whether its target is allowed is another question: `performHttp` asks it at every hop. */
export interface HttpRequest {
  readonly method: HttpMethod;
  /** Normalised, without a fragment. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** What the agent is ready to wait, in milliseconds; the policy may allow less. */
  readonly timeoutMs?: number;
}

const MAX_URL = 2048;
const MAX_HEADERS = 32;
const MAX_HEADER_BYTES = 8192;
const MAX_BODY_BYTES = 1_048_576;
const MAX_TIMEOUT_MS = 600_000;

/**
 * Headers that belong to the connection, to the proxies on the way or to the host: an agent that sets one could hide a
 * second request in the first, speak as another, or choose another method than the one that is checked and metered.
 */
const RESERVED_HEADERS = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'cookie2',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'idempotency-key',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-real-ip',
]);
const RESERVED_PREFIXES = ['proxy-', 'sec-', 'x-forwarded-'];

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;

type Report = (message: string, path?: string[]) => void;

/** What is wrong with the text of a URL, before anything is asked about its target. */
export function urlProblem(text: string): string | undefined {
  if (text.length > MAX_URL) return `has ${text.length} characters, the limit is ${MAX_URL}`;
  // Parsers disagree on these: some strip them, some take a backslash for a slash.
  if (/[\s\p{Cc}\p{Cf}\\]/u.test(text)) return 'has white space, control characters or a backslash';
  if (!/^https?:\/\/[^/]/i.test(text)) return 'must begin with http:// or https:// and a host';
  if (!URL.canParse(text)) return 'is not a URL';
  const { username, password, hostname, port, href } = new URL(text);
  if (username !== '' || password !== '' || /^[a-z]+:\/\/[^/?#]*@/i.test(text)) return 'must not carry credentials';
  if (hostname.endsWith('.')) return 'has a host that ends with a dot';
  if (port === '0') return 'has port 0';
  return href.length > MAX_URL ? `has ${href.length} characters once encoded, the limit is ${MAX_URL}` : undefined;
}

function checkHeaders(headers: Record<string, string>, report: Report): void {
  const entries = Object.entries(headers);
  if (entries.length > MAX_HEADERS) report(`at most ${MAX_HEADERS} headers`, ['headers']);
  const bytes = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (bytes > MAX_HEADER_BYTES) report(`${bytes} characters in all, the limit is ${MAX_HEADER_BYTES}`, ['headers']);
  const seen = new Set<string>();
  for (const [name, value] of entries) {
    const lower = name.toLowerCase();
    const path = ['headers', name];
    if (!TOKEN.test(name)) report('is not the name of a header', path);
    if (RESERVED_HEADERS.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix)))
      report('is set by the host or not at all', path);
    if (!HEADER_VALUE.test(value)) report('must be printable ASCII', path);
    if (seen.has(lower)) report('is there twice', path);
    seen.add(lower);
  }
}

const request = z
  .strictObject({
    method: z.enum(HTTP_METHODS).default('GET'),
    url: z.string(),
    headers: z.record(z.string(), z.string()).default({}),
    json: z.json().optional(),
    text: z.string().optional(),
    base64: z.base64().optional(),
    timeoutMs: z.int().min(1).max(MAX_TIMEOUT_MS).optional(),
  })
  .superRefine(({ method, url, headers, json, text, base64 }, context) => {
    const report: Report = (message, path = []) => context.addIssue({ code: 'custom', path, message });
    const problem = urlProblem(url);
    if (problem !== undefined) report(problem, ['url']);
    checkHeaders(headers, report);
    const bodies = [json, text, base64].filter((body) => body !== undefined).length;
    if (bodies > 1) report('has more than one of json, text and base64');
    if (bodies > 0 && (method === 'GET' || method === 'HEAD')) report(`a ${method} has no body`);
    const length = encodeBody(json, text, base64)?.bytes.length ?? 0;
    if (length > MAX_BODY_BYTES) report(`a body of ${length} bytes, the limit is ${MAX_BODY_BYTES}`);
  });

/**
 * Checks the request of an `http` effect: `{url, method?, headers?, json? | text? | base64?, timeoutMs?}`. A body without a
 * `content-type` gets the one of its member. Throws `CHIMERA_INVALID_INPUT` with every problem.
 */
export function parseHttpRequest(value: JsonValue): HttpRequest {
  const { method, url, headers, json, text, base64, timeoutMs } = parseInput(request, value, 'the http request');
  const target = new URL(url);
  target.hash = '';
  const body = encodeBody(json, text, base64);
  const named = Object.entries(headers).map(([name, content]): [string, string] => [
    name.toLowerCase(),
    content.trim(),
  ]);
  return {
    method,
    url: target.href,
    headers: { ...(body === undefined ? {} : { 'content-type': body.type }), ...Object.fromEntries(named) },
    ...(body === undefined ? {} : { body: body.bytes }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

function encodeBody(json?: JsonValue, text?: string, base64?: string): { bytes: Uint8Array; type: string } | undefined {
  if (json !== undefined) return { bytes: Buffer.from(canonicalJson(json)), type: 'application/json' };
  if (text !== undefined) return { bytes: Buffer.from(text), type: 'text/plain; charset=utf-8' };
  if (base64 !== undefined) return { bytes: Buffer.from(base64, 'base64'), type: 'application/octet-stream' };
  return undefined;
}
