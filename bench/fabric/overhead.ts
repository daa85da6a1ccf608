import { setTimeout } from 'node:timers/promises';
import { ChimeraError } from '../../src/contracts/errors.ts';
import { DEPTH_EXPORT, FUEL_EXPORT, guardModule } from '../../src/fabric/guard/guard.ts';
import { createMemories } from '../../src/fabric/v8/memory.ts';
import { alternate } from '../harness/measure.ts';
import type { Comparison } from '../harness/measure.ts';
import { criterion } from '../harness/types.ts';
import type { BenchmarkResult } from '../harness/types.ts';
import { compileProgram, programNames } from './programs.ts';

/** A program of `bench/programs`, wherever it runs. */
export interface Program {
  readonly run: (rounds: number) => number;
}
interface Startable extends Program {
  readonly start: () => void;
}

const FUEL = 10n ** 17n;
const DEPTH = 10_000n;
const MEMORY_PAGES = 256;
/** A measured round takes about this long, so that the clock's steps and a switch of tasks hardly count. */
const ROUND_MS = 20;
const WARMUPS = 50;
/** Time for V8 to compile in the background what has become hot. */
const SETTLE_MS = 100;

/** What the guard costs, as processor time of guarded over unguarded programs in V8, each pair in alternating rounds. */
export async function measureOverhead(full: boolean, log: (line: string) => void): Promise<BenchmarkResult> {
  const figures: BenchmarkResult['figures'] = {};
  const ratios: number[] = [];
  for (const name of programNames()) {
    const { ratio, a, b } = await compare(await compileProgram(name), name, full ? 61 : 21);
    log(`${name}: guarded / unguarded ${ratio.median.toFixed(3)}`);
    figures[`${name}, guarded / unguarded`] = { ...ratio };
    figures[`${name}, guarded and unguarded, ms a round`] = [a.median, b.median];
    ratios.push(ratio.median);
  }
  return {
    figures,
    criteria: [
      criterion('programs', ratios.length, '>=', 8),
      criterion('fuel overhead of the guard, geomean', geomean(ratios), '<=', 1.15),
    ],
  };
}

async function compare(original: Uint8Array<ArrayBuffer>, name: string, rounds: number): Promise<Comparison> {
  const plain = instance(original, {});
  const module = guardModule(original, { memoryPages: MEMORY_PAGES, abi: 'any' });
  const guarded = instance(module.bytes, createMemories(module)());
  (guarded as unknown as Record<string, WebAssembly.Global>)[FUEL_EXPORT]!.value = FUEL;
  (guarded as unknown as Record<string, WebAssembly.Global>)[DEPTH_EXPORT]!.value = DEPTH;
  for (const program of [plain, guarded]) program.start();

  for (let i = 0; i < WARMUPS; i++) {
    if (plain.run(1) !== guarded.run(1)) {
      throw new ChimeraError('CHIMERA_INTERNAL', { why: `${name} gives another result when it is guarded` });
    }
  }
  await setTimeout(SETTLE_MS);
  return compareTimes(guarded, plain, rounds);
}

/** Processor time of two programs that do the same, in alternating rounds: `a` over `b`. */
export function compareTimes(a: Program, b: Program, rounds: number): Promise<Comparison> {
  let turns = 1;
  while (milliseconds(b, turns) < ROUND_MS) turns *= 2;
  const timed = (program: Program) => () => Promise.resolve(milliseconds(program, turns));
  return alternate(timed(a), timed(b), rounds, 2);
}

export const geomean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

const instance = (bytes: Uint8Array<ArrayBuffer>, imports: object): Startable =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports as unknown as Startable;

/** Processor time of this thread: other processes on the machine and V8's compiler threads do not count. */
function milliseconds(program: Program, turns: number): number {
  const before = process.threadCpuUsage();
  program.run(turns);
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
