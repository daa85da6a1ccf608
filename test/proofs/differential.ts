import type { Proof } from '../../bench/harness/types.ts';
import { sweep } from '../fabric/differential/sweep.ts';
import { listed, progressLog } from '../fabric/sweeps.ts';
import { wasmtimeLibrary } from '../fabric/wasmtime/library.ts';

/** Failures that are printed. */
const SHOWN = 20;

export const proof: Proof = {
  name: 'differential',
  title: 'Random agents end alike on V8 and wasmtime, and with and without the guard: output, trap, fuel, memory',

  async run({ count = 1_000_000, from = 0, seed, log }) {
    const found = await wasmtimeLibrary();
    const progress = progressLog(count, log);
    const report = await sweep({
      seed,
      from,
      count,
      ...('path' in found && { library: found.path }),
      onProgress: ({ cases, runs, differs }, next) =>
        progress(cases, `${cases} cases, ${runs} runs, ${differs.length} differ`, next),
    });
    const lines = report.differs.slice(0, SHOWN).map((line) => `seed ${seed}, ${line}`);
    lines.push(`${report.cases} cases, ${report.runs} runs`, `ended: ${listed(report.ended)}`);
    lines.push(`instructions: ${listed(report.classes)}`);
    if ('why' in found) lines.push(`without wasmtime: ${found.why}`);
    // Without the second engine only half of what is promised was tried.
    const failed = report.differs.length;
    return { passed: 'why' in found ? 0 : Math.max(0, report.cases - failed), failed, lines };
  },
};
