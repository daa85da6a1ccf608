import { parseArgs } from 'node:util';
import { catalogue } from './harness/catalogue.ts';
import type { BenchmarkReport } from './harness/present.ts';
import { exitCode, explain, machine, table } from './harness/present.ts';
import type { Benchmark } from './harness/types.ts';

/**
 * npm run --silent bench -- NAME [--json] [--full] [--seed S]; `list` names them all.
 * Exit code: 0 every criterion passes, 1 one does not, 2 it could not be run.
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      seed: { type: 'string', default: 'chimera' },
    },
  });
  const benchmarks = catalogue<Benchmark>(import.meta.dirname, 'benchmark', 'benchmark', ['run']);
  const name = positionals[0] ?? 'list';
  if (name === 'list') {
    const all = await benchmarks.list();
    console.log(values.json ? JSON.stringify(all) : all.map((b) => `${b.name.padEnd(20)} ${b.title}`).join('\n'));
    return 0;
  }
  const benchmark = await benchmarks.load(name);
  const result = await benchmark.run({ full: values.full, seed: values.seed, log: (line) => console.error(line) });
  const report: BenchmarkReport = { name, machine: machine(), ...result };
  console.log(values.json ? JSON.stringify(report) : table(report));
  return exitCode(report);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 2;
}
