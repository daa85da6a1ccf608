import { deepEqual } from 'node:assert/strict';
import { rotaryTables } from '../../../src/learning/architecture/rotary.ts';
import { TINY_DECODER } from '../tiny.ts';

describe('the tables of rotary angles', () => {
  it('have the cosine and the sine of each place and frequency, in single precision', () => {
    const config = { ...TINY_DECODER, headSize: 6, rotaryBase: 50_000 };
    const { cosines, sines } = rotaryTables(config, 5);
    const angles = [0, 1, 2, 3, 4].flatMap((position) =>
      [0, 2, 4].map((i) => Math.fround(position * Math.fround(50_000 ** (-i / 6)))),
    );
    deepEqual(cosines, Float32Array.from(angles, Math.cos));
    deepEqual(sines, Float32Array.from(angles, Math.sin));
  });
});
