import { urlProblem, type HttpMethod } from './request.ts';

/** One request on the way to an answer. */
export interface Hop {
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** What may go along to another origin; anything else may be a secret that was meant for the first. */
const HARMLESS = new Set(['accept', 'accept-language', 'content-language', 'content-type', 'user-agent']);

/**
 * The hop that a redirect asks for, by the method rules of the fetch standard, or why it is not followed. Whether its target is
 * allowed, and where its name leads, is asked anew by the caller.
 */
export function redirected(hop: Hop, status: number, location: string): Hop | string {
  // Control characters and backslashes, which the URL parser would strip or turn, are found in the text itself.
  if (/[\s\p{Cc}\\]/u.test(location)) return 'has white space, control characters or a backslash';
  if (!URL.canParse(location, hop.url.href)) return 'is not a URL';
  const url = new URL(location, hop.url);
  url.hash = '';
  const problem = urlProblem(url.href);
  if (problem !== undefined) return problem;
  if (hop.url.protocol === 'https:' && url.protocol !== 'https:') return 'leaves https';
  const method = methodAfter(hop.method, status);
  const keep = (name: string): boolean =>
    (url.origin === hop.url.origin || HARMLESS.has(name)) && (method === hop.method || !name.startsWith('content-'));
  const headers = Object.fromEntries(Object.entries(hop.headers).filter(([name]) => keep(name)));
  return { method, url, headers, ...(method === hop.method && hop.body !== undefined ? { body: hop.body } : {}) };
}

function methodAfter(method: HttpMethod, status: number): HttpMethod {
  const seeOther = status === 303 && method !== 'HEAD';
  return seeOther || (method === 'POST' && (status === 301 || status === 302)) ? 'GET' : method;
}
