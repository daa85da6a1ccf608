import assert from 'node:assert/strict';
import { wasmtimeLibrary } from '../wasmtime/library.ts';
import { makeCase } from './compare.ts';
import { ACCEPTED } from './instructions.ts';
import { sweep } from './sweep.ts';
import type { SweepReport } from './sweep.ts';

const CASES = 2000;
/** Kinds of traps that agents of the generator come to; the others are about what an agent hands back. */
const TRAPS = [
  'out-of-fuel',
  'stack-depth',
  'unreachable',
  'memory-out-of-bounds',
  'table-out-of-bounds',
  'indirect-call',
  'integer-divide-by-zero',
  'integer-overflow',
  'invalid-conversion',
];

describe('fabric, random agents', function () {
  this.timeout(200_000);
  let report: SweepReport;

  before(async () => {
    const library = await wasmtimeLibrary();
    if ('why' in library) console.log(`      wasmtime is not tested here: ${library.why}`);
    report = await sweep({ seed: 'test', from: 0, count: CASES, ...('path' in library && { library: library.path }) });
  });

  it('are the same bytes for the same seed', () => {
    assert.deepEqual(makeCase('same', 1), makeCase('same', 1));
    assert.notDeepEqual(makeCase('same', 1).bytes, makeCase('same', 2).bytes);
  });

  it('end alike on both engines and without the guard: output, trap, fuel, memory', () => {
    assert.equal(report.cases, CASES);
    assert.deepEqual(report.differs, []);
  });

  it('come to every trap that code can come to, and mostly to an answer', () => {
    assert.deepEqual(
      TRAPS.filter((trap) => !report.ended.has(trap)),
      [],
    );
    const done = report.ended.get('done') ?? 0;
    assert.ok(done > CASES * 0.3 && done < CASES * 0.8, `${done} of ${CASES} answer`);
  });

  it('hold every instruction that the guard accepts', () => {
    assert.ok(ACCEPTED.length > 400);
    assert.deepEqual(
      ACCEPTED.filter((name) => !report.names.has(name)),
      [],
    );
    for (const [name, count] of report.classes) assert.ok(count > CASES / 10, `${name}: ${count}`);
  });
});
