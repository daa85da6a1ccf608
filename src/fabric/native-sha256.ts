import { hash } from 'node:crypto';
import { useSha256 } from '../core/canonical/canonical.ts';

/** Makes this process hash with OpenSSL. */
export function useNativeSha256(): void {
  useSha256((content) => hash('sha256', content));
}
