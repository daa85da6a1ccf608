import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { ConnectionOptions } from '@temporalio/client';
import type { Config } from './config.ts';

/**
 * How to reach Temporal: TLS, API key and headers from Temporal's own environment configuration (`TEMPORAL_*`, profile
 * files), address and namespace from ours. An embedded server, whose `address` the caller passes, gets no credentials.
 */
export function temporalConnection(
  config: Pick<Config, 'temporal'>,
  embeddedAddress?: string,
): { readonly connectionOptions: ConnectionOptions; readonly namespace: string } {
  const { namespace } = config.temporal;
  if (embeddedAddress !== undefined) return { connectionOptions: { address: embeddedAddress }, namespace };
  const { connectionOptions } = loadClientConnectConfig();
  const { address } = config.temporal;
  return { connectionOptions: { ...connectionOptions, ...(address === undefined ? {} : { address }) }, namespace };
}
