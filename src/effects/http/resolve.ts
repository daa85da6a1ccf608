import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { Gate } from '../gate.ts';
import type { ResolvedAddress } from './exchange.ts';

/** All addresses of a name. Rejects where it has none; may give up when `signal` is aborted. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<readonly ResolvedAddress[]>;

/** Node looks names up on the four threads that read its files too: slow name servers of strangers may hold two of them. */
const lookups = new Gate(2);

/** As every other program on the machine resolves: hosts file, search domains and all. */
export const systemResolve: Resolve = async (host, signal) => {
  const found = await lookups.run(() => lookup(host, { all: true, order: 'verbatim' }), signal);
  return (found ?? []) as ResolvedAddress[];
};

/** The address that a URL's host names literally, in the notation that the URL parser leaves; undefined for a name. */
export function literalAddress(hostname: string): ResolvedAddress | undefined {
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(address);
  return family === 0 ? undefined : { address, family: family as 4 | 6 };
}
