import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { catalogue } from '../bench/harness/catalogue.ts';
import { explain } from '../bench/harness/present.ts';
import type { Proof } from '../bench/harness/types.ts';
import { invalidInput } from '../src/contracts/errors.ts';

/**
 * npm run proof -- NAME [--count N] [--from N] [--seed S]; `list` names them all. `--from` goes on where an earlier run of the same
 * seed was stopped, for proofs whose cases are numbered.
 * Exit code: 0 every case passes, 1 one does not or none was tried, 2 it could not be run.
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { count: { type: 'string' }, from: { type: 'string' }, seed: { type: 'string', default: 'chimera' } },
  });
  const proofs = catalogue<Proof>(join(import.meta.dirname, '../test/proofs'), 'proof', 'proof');
  const name = positionals[0] ?? 'list';
  if (name === 'list') {
    for (const proof of await proofs.list()) console.log(`${proof.name.padEnd(20)} ${proof.title}`);
    return 0;
  }
  const count = wholeNumber('--count', values.count, 1);
  const from = wholeNumber('--from', values.from, 0);
  const proof = await proofs.load(name);
  console.log(`${proof.title} (seed ${values.seed})`);
  const { passed, failed, lines } = await proof.run({
    ...(count !== undefined && { count }),
    ...(from !== undefined && { from }),
    seed: values.seed,
    log: (line) => console.log(line),
  });
  for (const line of lines) console.log(line);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

function wholeNumber(flag: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw invalidInput('the command', [{ path: flag, message: `${text} is not a whole number from ${least} on` }]);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 2;
}
