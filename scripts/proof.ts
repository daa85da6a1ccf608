import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { catalogue } from '../bench/harness/catalogue.ts';
import { explain } from '../bench/harness/present.ts';
import type { Proof } from '../bench/harness/types.ts';
import { invalidInput } from '../src/contracts/errors.ts';

/**
 * npm run proof -- NAME [--count N] [--seed S]; `list` names them all.
 * Exit code: 0 every case passes, 1 one does not or none was tried, 2 it could not be run.
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { count: { type: 'string' }, seed: { type: 'string', default: 'chimera' } },
  });
  const proofs = catalogue<Proof>(join(import.meta.dirname, '../test/proofs'), 'proof', 'proof');
  const name = positionals[0] ?? 'list';
  if (name === 'list') {
    for (const proof of await proofs.list()) console.log(`${proof.name.padEnd(20)} ${proof.title}`);
    return 0;
  }
  const count = values.count === undefined ? undefined : Number(values.count);
  if (count !== undefined && !(Number.isInteger(count) && count > 0))
    throw invalidInput('the command', [{ path: '--count', message: `${values.count} is not a whole number above 0` }]);
  const proof = await proofs.load(name);
  console.log(`${proof.title} (seed ${values.seed})`);
  const { passed, failed, lines } = await proof.run({
    ...(count !== undefined && { count }),
    seed: values.seed,
    log: (line) => console.log(line),
  });
  for (const line of lines) console.log(line);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 2;
}
