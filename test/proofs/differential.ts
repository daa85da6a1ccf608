import type { Proof } from '../../bench/harness/types.ts';
import { openWasmtime } from '../../src/fabric/wasmtime/engine.ts';
import { compareCase } from '../fabric/differential/compare.ts';
import { wasmtimeLibrary } from '../fabric/wasmtime/library.ts';

/** Cases between two lines of progress. */
const REPORTED = 1000;
/** Failures that are printed. */
const SHOWN = 20;

export const proof: Proof = {
  name: 'differential',
  title: 'Random agents end alike on V8 and wasmtime, and with and without the guard: output, trap, fuel, memory',

  async run({ count = 1_000_000, seed, log }) {
    const library = await wasmtimeLibrary();
    const other = 'path' in library ? openWasmtime(library.path) : undefined;
    const lines: string[] = [];
    if ('why' in library) lines.push(`without wasmtime: ${library.why}`);
    let failed = 0;
    let trapped = 0;
    for (let index = 0; index < count; index++) {
      const one = compareCase(seed, index, other);
      if (one.trapped) trapped++;
      if (one.what !== undefined && ++failed <= SHOWN) lines.push(`seed ${seed}, ${one.what}`);
      if ((index + 1) % REPORTED === 0) log(`${index + 1} cases, ${trapped} trapped, ${failed} differ`);
    }
    // Without the second engine only half of what is promised was tried.
    return { passed: other === undefined ? 0 : count - failed, failed, lines };
  },
};
