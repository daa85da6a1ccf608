import type { AgentRef, Fabric } from '../../src/fabric/index.ts';
import { quantile } from '../harness/measure.ts';
import { criterion } from '../harness/types.ts';
import type { BenchmarkResult } from '../harness/types.ts';
import { TASK_TYPE, fabricOf, items, smallAgent } from './agents.ts';

/** Agents that take turns, so that none runs twice in a row. */
const AGENTS = 64;
const [ITEM] = items(1);

/**
 * How long one run takes from the call of the fabric to its record, on a pool that has nothing else to do: of a module that a
 * sandbox of the pool has compiled before, and of one that none has seen.
 */
export async function measureColdStart(
  library: string,
  full: boolean,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const figures: BenchmarkResult['figures'] = {
    'cold start, what is cached':
      'a module is compiled once by each sandbox that gets a run of it, which keeps the last 512; the pool prefers a sandbox that has it; every run is a fresh instance',
  };
  const rounds = full ? 40 : 20;
  let p99 = Number.NaN;
  for (const engine of ['v8', 'wasmtime'] as const) {
    const modules = Array.from({ length: AGENTS * 4 }, (_, number) => smallAgent(number));
    const { fabric, agents } = fabricOf(modules, { poolSize: 2, wasmtime: library, engine });
    try {
      await fabric.run({ agent: agents[0]!, taskType: TASK_TYPE, items: [ITEM!] });
      const first = await timesOf(fabric, agents.slice(1));
      const turns = Array.from({ length: rounds }, () => agents.slice(-AGENTS)).flat();
      await timesOf(fabric, turns.slice(0, AGENTS));
      const cached = await timesOf(fabric, turns);
      figures[`cold start, ${engine}, a module that was compiled before, ms`] = percentiles(cached);
      figures[`cold start, ${engine}, a module that nobody has compiled, ms`] = percentiles(first);
      log(`cold start, ${engine}: cached p99 ${quantile(cached, 0.99).toFixed(2)} ms`);
      if (engine === 'v8') p99 = quantile(cached, 0.99);
    } finally {
      fabric.close();
    }
  }
  return { figures, criteria: [criterion('cold start of a cached module, p99', p99, '<=', 1, 'ms')] };
}

async function timesOf(fabric: Fabric, agents: readonly AgentRef[]): Promise<number[]> {
  const times: number[] = [];
  for (const agent of agents) {
    const begun = performance.now();
    await fabric.run({ agent, taskType: TASK_TYPE, items: [ITEM!] });
    times.push(performance.now() - begun);
  }
  return times;
}

/** What a distribution is, without its name's unit. */
export const percentiles = (values: readonly number[]): Record<string, number> => ({
  p50: quantile(values, 0.5),
  p90: quantile(values, 0.9),
  p99: quantile(values, 0.99),
  runs: values.length,
});
