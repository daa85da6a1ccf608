import type { Proof } from '../../bench/harness/types.ts';
import { fullCorpus } from '../fabric/mutations/corpus.ts';
import { sweepMutants } from '../fabric/mutations/sweep.ts';
import { listed, progressLog } from '../fabric/sweeps.ts';
import { wasmtimeLibrary } from '../fabric/wasmtime/library.ts';

/** Failures that are printed. */
const SHOWN = 20;

export const proof: Proof = {
  name: 'mutations',
  title: 'Mutated modules and components are refused or run, alike on both engines, and end no process',

  async run({ count = 100_000, from = 0, seed, log }) {
    const corpus = await fullCorpus();
    const found = await wasmtimeLibrary();
    const progress = progressLog(count, log);
    const report = await sweepMutants({
      seed,
      from,
      count,
      corpus,
      ...('path' in found && { library: found.path }),
      onProgress: ({ tried, faults }, next) => progress(tried, `${tried} mutants, ${faults.length} faults`, next),
    });
    const lines = report.faults.slice(0, SHOWN).map((line) => `seed ${seed}, ${line}`);
    lines.push(`${corpus.length} agents and components were mutated`);
    lines.push(`accepted: ${listed(report.accepted)}`, `refused: ${listed(report.refused)}`);
    if ('why' in found) lines.push(`without wasmtime: ${found.why}`);
    const failed = report.faults.length;
    return { passed: report.tried - failed, failed, lines };
  },
};
