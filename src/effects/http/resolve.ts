import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { ResolvedAddress } from './exchange.ts';

/** All addresses of a name. Rejects where it has none. */
export type Resolve = (host: string) => Promise<readonly ResolvedAddress[]>;

/** As every other program on the machine resolves: hosts file, search domains and all. */
export const systemResolve: Resolve = async (host) =>
  (await lookup(host, { all: true, order: 'verbatim' })) as ResolvedAddress[];

/** The address that a URL's host names literally, in the notation that the URL parser leaves; undefined for a name. */
export function literalAddress(hostname: string): ResolvedAddress | undefined {
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(address);
  return family === 0 ? undefined : { address, family: family as 4 | 6 };
}
