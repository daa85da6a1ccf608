import type { JsonObject, JsonValue } from '../../../contracts/records.ts';
import type { FeatureDeclaration } from './declarations.ts';
import { createTermCounter } from './terms.ts';

interface CharacterCounts {
  readonly letters: number;
  readonly upper: number;
  readonly digit: number;
  readonly punctuation: number;
  readonly nonAscii: number;
}

/** What a character is: its place among the counts. */
const CLASS = { other: 0, lower: 1, upper: 2, digit: 3, punctuation: 4, nonAscii: 5 } as const;
const CLASSES = Uint8Array.from({ length: 128 }, (_, code) => {
  if (code >= 0x61 && code <= 0x7a) return CLASS.lower;
  if (code >= 0x41 && code <= 0x5a) return CLASS.upper;
  if (code >= 0x30 && code <= 0x39) return CLASS.digit;
  return code > 0x20 && code < 0x7f ? CLASS.punctuation : CLASS.other;
});

function countCharacters(text: string): CharacterCounts {
  const counts = new Uint32Array(6);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    counts[code < 128 ? CLASSES[code]! : CLASS.nonAscii]!++;
  }
  const upper = counts[CLASS.upper]!;
  return {
    letters: counts[CLASS.lower]! + upper,
    upper,
    digit: counts[CLASS.digit]!,
    punctuation: counts[CLASS.punctuation]!,
    nonAscii: counts[CLASS.nonAscii]!,
  };
}

function occurrences(text: string, piece: string): number {
  let count = 0;
  for (let at = text.indexOf(piece); at >= 0; at = text.indexOf(piece, at + piece.length)) count++;
  return count;
}

const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '');

function numberOf(value: JsonValue | undefined): number {
  if (typeof value === 'number') return value;
  return value === true ? 1 : 0;
}

/** Reads the declared features of one payload after another. Word lists are indexed once, not for each payload. */
export type FeatureReader = (payload: JsonObject) => Float64Array;

/** Makes a {@link FeatureReader}. Each field is walked once however many features read it. */
export function createFeatureReader(features: readonly FeatureDeclaration[]): FeatureReader {
  /** Field → word → the places in the result which that word adds to. */
  const places = new Map<string, Map<string, number[]>>();
  features.forEach((feature, place) => {
    if (feature.kind !== 'terms' && feature.kind !== 'words') return;
    const index = places.get(feature.field) ?? new Map<string, number[]>();
    places.set(feature.field, index);
    if (feature.kind === 'words') return;
    for (const term of new Set(feature.terms.map((word) => word.toLowerCase()))) {
      index.set(term, [...(index.get(term) ?? []), place]);
    }
  });
  const counters = [...places].map(([field, index]) => ({ field, count: createTermCounter(index) }));
  const countFields = new Set(features.filter((f) => f.kind === 'ratio').map((f) => f.field));

  return (payload) => {
    const values = new Float64Array(features.length);
    const words = new Map<string, number>();
    for (const { field, count } of counters) words.set(field, count(textOf(payload[field]), values));
    const counts = new Map<string, CharacterCounts>();
    for (const field of countFields) counts.set(field, countCharacters(textOf(payload[field])));
    features.forEach((feature, place) => {
      const value = payload[feature.field];
      switch (feature.kind) {
        case 'terms':
          return;
        case 'length':
          values[place] = textOf(value).length;
          return;
        case 'words':
          values[place] = words.get(feature.field)!;
          return;
        case 'ratio':
          values[place] = ratio(counts.get(feature.field)!, feature.of, textOf(value).length);
          return;
        case 'substring':
          values[place] = occurrences(textOf(value), feature.substring);
          return;
        case 'is':
          values[place] = value === feature.value || (Array.isArray(value) && value.includes(feature.value)) ? 1 : 0;
          return;
        case 'number':
          values[place] = numberOf(value);
      }
    });
    return values;
  };
}

function ratio(counts: CharacterCounts, of: 'upper' | 'digit' | 'punctuation' | 'non-ascii', length: number): number {
  const whole = of === 'upper' ? counts.letters : length;
  const part = of === 'non-ascii' ? counts.nonAscii : counts[of];
  return whole === 0 ? 0 : part / whole;
}
