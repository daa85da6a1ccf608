import type { Example } from '../../../src/core/curation/examples.ts';
import { stream } from '../../../src/core/random/random.ts';

const VOCABULARY = Array.from({ length: 3000 }, (_, i) => `w${i.toString(36)}`);

/** A text of `words` random words, a function of (seed, index). */
export function randomText(seed: string, index: number, words: number): string {
  const draws = stream(seed, 0, index, 'test-text');
  return Array.from({ length: words }, () => draws.pick(VOCABULARY)).join(' ');
}

/** The text with a share of its words replaced. */
export function edited(text: string, share: number, seed: string): string {
  const draws = stream(seed, 0, 0, 'test-edit');
  return text
    .split(' ')
    .map((word) => (draws.chance(share) ? draws.pick(VOCABULARY) : word))
    .join(' ');
}

export function example(ordinal: number, text: string, label = 'ham', source = 'test'): Example {
  return { ordinal, source, input: { text }, expected: { label }, label };
}
