import type { Problem } from '../../contracts/errors.ts';

/**
 * The allow-list of an agent's manifest: where its `http` effects may go. An entry is a scheme, a host, a port unless it
 * is the scheme's own, and maybe a path:
 *
 * - `https://api.example.com`: every path of this host
 * - `https://*.example.com`: hosts with exactly one label more, as in a TLS certificate
 * - `http://stock.internal:8080/v1`: the path /v1 and what is below it, not /v10
 *
 * An entry is written as it is compared (lower case, punycode, plain IPv4), so that a reader sees what it opens.
 */

const MAX_ENTRIES = 64;
const MAX_ENTRY = 500;

/** The name of a tool in temporal.yaml and in an agent's manifest. */
export const TOOL_NAME: RegExp = /^(?=.{1,64}$)[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*$/;

interface AllowEntry {
  readonly scheme: string;
  /** Without the wildcard label. */
  readonly host: string;
  readonly wildcard: boolean;
  readonly port: string;
  /** `/` for every path. */
  readonly path: string;
}

/**
 * What servers behind a prefix are known to resolve after the check: encoded dots, slashes and percent signs, and dot
 * segments with parameters (`/v1/..;/admin`).
 */
const DISGUISED = /%(?:2e|2f|5c|25|00)|\/\.{1,2};/i;

function parseEntry(text: string): AllowEntry | string {
  if (text.length > MAX_ENTRY) return `at most ${MAX_ENTRY} characters`;
  const parts = /^(https?):\/\/(\*\.)?([^/*@?#\\]+)(\/[^*?#\\]*)?$/.exec(text);
  if (parts === null) return 'must be http(s)://host, with *. before, :port or /path behind it where wanted';
  const [, scheme, star = '', authority, path = ''] = parts;
  const plain = `${scheme}://${authority}${path}`;
  if (!URL.canParse(plain)) return 'is not a URL';
  const url = new URL(plain);
  if (star !== '' && /^\[|\.\d+$/.test(url.hostname)) return 'a wildcard cannot stand before an address';
  if (star !== '' && !url.hostname.includes('.')) return 'a wildcard needs two labels behind it';
  const canonical = `${url.protocol}//${url.host}${path === '' ? '' : url.pathname}`;
  if (canonical !== plain) return `must be written as ${scheme}://${star}${canonical.slice(`${scheme}://`.length)}`;
  if (url.hostname.endsWith('.')) return 'has a host that ends with a dot';
  if (url.port === '0') return 'has port 0';
  if (DISGUISED.test(path)) return 'has encoded dots, slashes or percent signs in its path';
  return { scheme: url.protocol, host: url.hostname, wildcard: star !== '', port: url.port, path: path || '/' };
}

/** What is wrong with an allow-list; paths are relative to it. */
export function parseAllow(entries: readonly unknown[]): Problem[] {
  if (entries.length > MAX_ENTRIES) return [{ path: '', message: `at most ${MAX_ENTRIES} entries` }];
  return entries.flatMap((entry, index) => {
    const parsed = typeof entry === 'string' ? parseEntry(entry) : 'must be a text';
    return typeof parsed === 'string' ? [{ path: `/${index}`, message: parsed }] : [];
  });
}

function hostMatches({ host, wildcard }: AllowEntry, hostname: string): boolean {
  if (!wildcard) return hostname === host;
  const label = hostname.slice(0, -host.length - 1);
  return label !== '' && !label.includes('.') && hostname === `${label}.${host}`;
}

function pathMatches(prefix: string, path: string): boolean {
  if (prefix === '/') return true;
  if (DISGUISED.test(path)) return false;
  return path === prefix || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`);
}

/**
 * May a request go to `url`? No, where it is not a URL, carries credentials or no entry opens it; an entry that
 * {@link parseAllow} has problems with opens nothing.
 */
export function allows(entries: readonly string[], url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, port, pathname, username, password } = new URL(url);
  if (username !== '' || password !== '') return false;
  return entries.some((text) => {
    const entry = parseEntry(text);
    if (typeof entry === 'string') return false;
    if (entry.scheme !== protocol || entry.port !== port) return false;
    return hostMatches(entry, hostname) && pathMatches(entry.path, pathname);
  });
}
