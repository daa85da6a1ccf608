import type { DataConverter } from '@temporalio/common';
import { fileURLToPath } from 'node:url';
import { EncryptionCodec, type EncryptionKey } from './payload-codec.ts';

/** Where the failure converter of encrypted payloads is, for the workflow bundle and whoever loads it by path. */
export const FAILURE_CONVERTER = fileURLToPath(new URL('./failure-converter.ts', import.meta.url));

/**
 * The one data converter of workers, clients, gateway and command line. With keys everything that users sent is encrypted
 * on its way to the Temporal server: inputs, results, signals, memos, summaries, failures. Workflow IDs, workflow types
 * and search attributes are not, they hold names only; nor are headers, which hold the IDs of traces.
 */
export function createDataConverter(keys: readonly EncryptionKey[]): DataConverter {
  return {
    payloadCodecs: [new EncryptionCodec(keys)],
    ...(keys.length === 0 ? {} : { failureConverterPath: FAILURE_CONVERTER }),
  };
}
