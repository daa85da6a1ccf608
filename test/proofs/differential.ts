import type { Proof } from '../../bench/harness/types.ts';
import { sweep } from '../fabric/differential/sweep.ts';
import { wasmtimeLibrary } from '../fabric/wasmtime/library.ts';

/** Failures that are printed. */
const SHOWN = 20;
/** Seconds between two lines of progress. */
const SECONDS = 10;

export const proof: Proof = {
  name: 'differential',
  title: 'Random agents end alike on V8 and wasmtime, and with and without the guard: output, trap, fuel, memory',

  async run({ count = 1_000_000, from = 0, seed, log }) {
    const found = await wasmtimeLibrary();
    const began = performance.now();
    let said = began;
    const report = await sweep({
      seed,
      from,
      count,
      ...('path' in found && { library: found.path }),
      onProgress({ cases, runs, differs }, next) {
        const now = performance.now();
        if (now < said + 1000 * SECONDS) return;
        said = now;
        const rate = cases / ((now - began) / 1000);
        const left = (count - cases) / rate / 60;
        log(
          `${cases} cases, ${runs} runs, ${differs.length} differ; ${rate.toFixed(0)} a second, ` +
            `${left.toFixed(0)} minutes left; --from ${next} goes on from here`,
        );
      },
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

const listed = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
