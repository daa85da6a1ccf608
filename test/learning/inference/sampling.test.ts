import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { pick, probabilities } from '../../../src/learning/inference/sampling.ts';
import { StopTexts } from '../../../src/learning/inference/stop-texts.ts';

const LOGITS = Float32Array.of(0, 3, 1, 3, -5);
const drawn = (topP: number, temperature = 1): Set<number> =>
  new Set(Array.from({ length: 2000 }, (_, i) => pick(LOGITS, { temperature, topP }, () => i / 2000)));

describe('a token that is drawn', () => {
  it('is the first of the likeliest at temperature 0, at top-p 0, and at temperatures that are nearly 0', () => {
    deepEqual([...drawn(1, 0)], [1]);
    deepEqual([...drawn(0)], [1]);
    deepEqual([...drawn(0.2)], [1]);
    deepEqual(new Set(drawn(1, 1e-300)), new Set([1, 3]));
  });

  it('is of the fewest tokens that have the probability that was asked for', () => {
    // e³, e³, e¹, e⁰, e⁻⁵ of 43.9: 45.8 %, 45.8 %, 6.2 %, 2.3 %, 0.02 %
    deepEqual(drawn(0.5), new Set([1, 3]));
    deepEqual(drawn(0.95), new Set([1, 3, 2]));
    deepEqual(drawn(0.999), new Set([1, 3, 2, 0]));
    deepEqual(
      pick(LOGITS, { temperature: 1, topP: 1 }, () => 1 - 2 ** -53),
      4,
    );
  });

  it('comes as often as its probability says', () => {
    const expected = probabilities(Float64Array.from(LOGITS));
    const counts = new Float64Array(5);
    for (let i = 0; i < 20_000; i++) counts[pick(LOGITS, { temperature: 1, topP: 1 }, () => (i + 0.5) / 20_000)]!++;
    expected.forEach((share, token) => ok(Math.abs(counts[token]! / 20_000 - share) < 1e-3));
  });
});

describe('stop texts', () => {
  it('cut a text at the first of them, however it comes in pieces', () => {
    const texts = fc.array(fc.constantFrom('a', 'b', 'ab', 'aab', 'ba', ''), { maxLength: 12 });
    const stops = fc.array(fc.constantFrom('ab', 'aab', 'bb', 'bab', 'c', ''), { maxLength: 3 });
    fc.assert(
      fc.property(texts, stops, (pieces, stop) => {
        const filter = new StopTexts(stop);
        const text = pieces.map((piece) => filter.push(piece)).join('') + filter.end();
        const places = stop.filter((one) => one !== '').map((one) => pieces.join('').indexOf(one));
        const first = Math.min(...places.filter((place) => place >= 0));
        equal(text.startsWith(pieces.join('').slice(0, first)), true);
        equal(filter.found, Number.isFinite(first));
        if (!filter.found) equal(text, pieces.join(''));
      }),
    );
  });
});
