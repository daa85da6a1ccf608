import assert from 'node:assert/strict';
import { wasmtimeLibrary } from '../wasmtime/library.ts';
import { smallCorpus } from './corpus.ts';
import { mutant, sweepMutants } from './sweep.ts';

const MUTANTS = 600;

describe('fabric, mutated agents and components', function () {
  this.timeout(120_000);

  it('are refused or run, alike on both engines, and end no process', async () => {
    const corpus = await smallCorpus();
    const library = await wasmtimeLibrary();
    if ('why' in library) console.log(`      wasmtime is not tested here: ${library.why}`);
    const sample = { seed: 'test', from: 0, count: MUTANTS, corpus };
    assert.deepEqual(mutant(sample, 3), mutant(sample, 3));
    const report = await sweepMutants({ ...sample, ...('path' in library && { library: library.path }) });
    assert.deepEqual(report.faults, []);
    const all = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);
    const accepted = all(report.accepted);
    assert.equal(report.tried, MUTANTS);
    assert.equal(accepted + all(report.refused), MUTANTS);
    // Enough get past the guard for the engines to be tried, and enough do not.
    assert.ok(accepted > MUTANTS * 0.1 && accepted < MUTANTS * 0.7, `${accepted} of ${MUTANTS} are accepted`);
    for (const rule of ['malformed', 'invalid', 'export', 'abi', 'component', 'limit', 'unknown-section'])
      assert.ok(report.refused.has(rule), `none is refused as ${rule}`);
  });
});
