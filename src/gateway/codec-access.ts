import type { FastifyRequest } from 'fastify';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];
const LOOPBACK_PEERS = ['127.0.0.1', '::1', '::ffff:127.0.0.1'];

/**
 * Who may have payloads decoded without an API key: the Temporal UI, which has none to send, in a browser on this machine.
 * A browser tells truly which page asks, so no other page can. A program on this machine could pretend; it can read the
 * Temporal server of this machine as well, and whoever shares a machine with strangers names an external Temporal server.
 */
export class CodecAccess {
  readonly #origins: ReadonlySet<string>;

  constructor(uiUrl: string | undefined) {
    this.#origins = new Set(uiUrl === undefined ? [] : originsOf(uiUrl));
  }

  /** Does the page of the Temporal UI ask, from this machine? */
  isUi({ headers, ip }: Pick<FastifyRequest, 'headers' | 'ip'>): boolean {
    return headers.origin !== undefined && this.#origins.has(headers.origin) && LOOPBACK_PEERS.includes(ip);
  }

  /** What tells the browser that the page may read the answer; nothing for other pages. */
  headers({ headers }: Pick<FastifyRequest, 'headers'>): Record<string, string> {
    const { origin } = headers;
    if (origin === undefined || !this.#origins.has(origin)) return { vary: 'Origin' };
    return {
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'POST, OPTIONS',
      // What the UI sends along.
      'access-control-allow-headers': 'Authorization, Authorization-Extras, Content-Type, X-Namespace',
      'access-control-max-age': '600',
    };
  }
}

/** A loopback address has three spellings, and the user opens any of them. */
function originsOf(uiUrl: string): string[] {
  const { protocol, hostname, port, origin } = new URL(uiUrl);
  if (!LOOPBACK.includes(hostname)) return [origin];
  return LOOPBACK.map((name) => `${protocol}//${name}${port === '' ? '' : `:${port}`}`);
}
