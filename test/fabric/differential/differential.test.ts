import assert from 'node:assert/strict';
import { stream } from '../../../src/core/random/random.ts';
import { wasmtimeOrSkip } from '../wasmtime/library.ts';
import { compareCase } from './compare.ts';
import type { Compile } from './compare.ts';
import { randomAgent } from './generator.ts';

const CASES = 200;

/** No case differs, and neither do all trap nor none. */
function compareAll(seed: string, other?: Compile): void {
  let traps = 0;
  for (let index = 0; index < CASES; index++) {
    const { trapped, what } = compareCase(seed, index, other);
    assert.equal(what, undefined);
    if (trapped) traps++;
  }
  assert.ok(traps > CASES / 10 && traps < CASES * 0.8, `${traps} of ${CASES} trap`);
}

describe('fabric, random agents', function () {
  this.timeout(120_000);

  it('are the same bytes for the same seed', () => {
    const made = (index: number): Uint8Array => randomAgent(stream('same', 0, index, 'differential'), 'open');
    assert.deepEqual(made(1), made(1));
    assert.notDeepEqual(made(1), made(2));
  });

  it('do with the guard what they do without it', () => compareAll('guard'));

  it('do the same on V8 and on wasmtime: output, trap, fuel, memory', async function () {
    compareAll('engines', await wasmtimeOrSkip(this));
  });
});
