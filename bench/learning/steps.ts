import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { AdapterTrainer } from '../../src/learning/training/trainer.ts';
import { realBase } from './bases.ts';
import type { StepsFile, Took } from './step-process.ts';

/*
 * A process that only trains: what, in a file that its command line names; a line of numbers of steps on its standard input, a line of
 * JSON for each with what they took. The peer's process speaks the same.
 */

const { base: name, precision, spec, data } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as StepsFile;
const base = await realBase(name, precision, (line) => console.error(line));
const trainer = AdapterTrainer.create({ base, spec, data });

/** Most memory that this process has held, in bytes: VmHWM counts mapped files, too, and nothing of who started it. */
const peak = (): number => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]);

for await (const line of createInterface({ input: process.stdin })) {
  const [begun, before] = [performance.now(), process.cpuUsage()];
  for (let step = 0; step < Number(line); step++) await trainer.step();
  const { user, system } = process.cpuUsage(before);
  const took: Took = { seconds: (performance.now() - begun) / 1e3, busy: (user + system) / 1e6, peak: peak() };
  console.log(JSON.stringify(took));
}
