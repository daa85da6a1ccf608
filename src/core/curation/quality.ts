import { textOf } from './shingles.ts';
import type { Example } from './examples.ts';

/** Why an example is not fit to learn from. */
export type QualityReason = 'empty' | 'too-short' | 'too-long' | 'bad-encoding' | 'unknown-label';

export interface QualitySettings {
  /** Fewest and most UTF-16 code units of text in the input. Defaults 20 and 200,000. */
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  /** Greatest share of replacement characters, lone surrogates and control characters. Default 0.02. */
  readonly maxGarbage?: number | undefined;
  /** The known labels; without them any label, or none, passes. */
  readonly labels?: readonly string[] | undefined;
}

/** The first reason to reject an example, or null where it is fit. */
export function qualityProblem(example: Example, settings: QualitySettings = {}): QualityReason | null {
  const { minLength = 20, maxLength = 200_000, maxGarbage = 0.02, labels } = settings;
  const text = textOf(example.input);
  if (text.trim() === '') return 'empty';
  if (text.length < minLength) return 'too-short';
  if (text.length > maxLength) return 'too-long';
  if (garbageIn(text) > maxGarbage * text.length) return 'bad-encoding';
  if (labels !== undefined && !labels.includes(example.label ?? '')) return 'unknown-label';
  return null;
}

/** How many code units show a text decoded wrongly. */
function garbageIn(text: string): number {
  let garbage = text.isWellFormed() ? 0 : loneSurrogates(text);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0xfffd || (code < 32 && (code < 9 || code > 13)) || (code >= 127 && code < 160)) garbage++;
  }
  return garbage;
}

function loneSurrogates(text: string): number {
  let lone = 0;
  // The iterator joins surrogate pairs, so a surrogate that comes alone has no partner.
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code >= 0xd800 && code <= 0xdfff) lone++;
  }
  return lone;
}
