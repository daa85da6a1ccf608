import type { JsonObject, JsonValue } from '../../../contracts/records.ts';
import type { FeatureDeclaration } from './declarations.ts';

interface CharacterCounts {
  readonly letters: number;
  readonly upper: number;
  readonly digit: number;
  readonly punctuation: number;
  readonly nonAscii: number;
}

function countCharacters(text: string): CharacterCounts {
  let [letters, upper, digit, punctuation, nonAscii] = [0, 0, 0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) nonAscii++;
    else if (code >= 0x61 && code <= 0x7a) letters++;
    else if (code >= 0x41 && code <= 0x5a) {
      letters++;
      upper++;
    } else if (code >= 0x30 && code <= 0x39) digit++;
    else if (code > 0x20 && code < 0x7f) punctuation++;
  }
  return { letters, upper, digit, punctuation, nonAscii };
}

const WORD = /[\p{L}\p{N}_]+/gu;
const ASCII_WORD = /[a-z0-9_]+/g;
const NOT_ASCII = /[^\0-\x7f]/;

/** The words of a text in lower case: runs of letters, digits and `_`. */
export function wordsOf(text: string): readonly string[] {
  const lower = text.toLowerCase();
  return lower.match(NOT_ASCII.test(lower) ? WORD : ASCII_WORD) ?? [];
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
  const termIndex = new Map<string, Map<string, number[]>>();
  features.forEach((feature, place) => {
    if (feature.kind !== 'terms') return;
    const index = termIndex.get(feature.field) ?? new Map<string, number[]>();
    termIndex.set(feature.field, index);
    for (const term of new Set(feature.terms.map((word) => word.toLowerCase()))) {
      index.set(term, [...(index.get(term) ?? []), place]);
    }
  });
  const wordFields = new Set([...termIndex.keys(), ...features.filter((f) => f.kind === 'words').map((f) => f.field)]);
  const countFields = new Set(features.filter((f) => f.kind === 'ratio').map((f) => f.field));

  return (payload) => {
    const values = new Float64Array(features.length);
    const words = new Map<string, number>();
    for (const field of wordFields) {
      const found = wordsOf(textOf(payload[field]));
      words.set(field, found.length);
      const index = termIndex.get(field);
      if (index === undefined) continue;
      for (const word of found) for (const place of index.get(word) ?? []) values[place]! += 1;
    }
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
