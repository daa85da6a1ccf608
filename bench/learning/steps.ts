import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { AdapterTrainer } from '../../src/learning/training/trainer.ts';
import { realBase } from './bases.ts';
import type { Took } from './step-process.ts';
import { fullData, specOf, type TrainingCase } from './cases.ts';

/*
 * A process that only trains: a case on its command line, a line of numbers of steps on its standard input, a line of JSON for each
 * with what they took. The peer's process speaks the same.
 */

const { batch, length, steps, ...its } = JSON.parse(process.argv[2]!) as TrainingCase & {
  batch: number;
  length: number;
  steps: number;
};
const base = await realBase(its.base, its.precision, (line) => console.error(line));
const spec = specOf(its, { batch, steps, maxTokens: length });
const trainer = AdapterTrainer.create({ base, spec, data: fullData(its.task, 'speed', 64, length) });

/** Most memory that this process has held, in bytes: VmHWM counts mapped files, too, and nothing of who started it. */
const peak = (): number => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]);

for await (const line of createInterface({ input: process.stdin })) {
  const [begun, before] = [performance.now(), process.cpuUsage()];
  for (let step = 0; step < Number(line); step++) await trainer.step();
  const { user, system } = process.cpuUsage(before);
  const took: Took = { seconds: (performance.now() - begun) / 1e3, busy: (user + system) / 1e6, peak: peak() };
  console.log(JSON.stringify(took));
}
