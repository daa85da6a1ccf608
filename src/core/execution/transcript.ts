import { canonicalJson, sha256Hex } from '../canonical/canonical.ts';
import type { EffectTrace, Transcript } from './types.ts';

/** The transcript of no effect. */
export const NOTHING_YET: Transcript = { hash: '0'.repeat(64), length: 0 };

/** The transcript with more effects at its end. */
export function addTo({ hash, length }: Transcript, effects: readonly EffectTrace[]): Transcript {
  const chained = effects.reduce((link, effect) => sha256Hex(link + canonicalJson(effect)), hash);
  return { hash: chained, length: length + effects.length };
}
