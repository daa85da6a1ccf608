import assert from 'node:assert/strict';
import { measureGrowth } from '../proofs/leaks.ts';

describe('a sandbox process', function () {
  this.timeout(60_000);

  it('does not keep what agents were given', async () => {
    // Heaps still find their size in so few runs; a page kept for each run would be a gigabyte. The proof holds 1 %.
    const { runs, before, after } = await measureGrowth(16_000, () => {});
    assert.equal(runs, 16_000);
    assert.ok(after < 2 * before, `resident ${before} KiB at first and ${after} KiB at last`);
  });
});
