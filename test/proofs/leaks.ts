import { readFileSync } from 'node:fs';
import type { Proof } from '../../bench/harness/types.ts';
import type { AgentRef } from '../../src/fabric/index.ts';
import { Code } from '../../src/core/wasm/code.ts';
import { agentModule, answering, asking, echo, result } from '../fabric/agents.ts';
import { Bench, item, TASK_TYPE } from '../fabric/harness.ts';
import { counting } from '../security/hostile-modules.ts';

/** Runs that one call of the fabric holds. */
const BATCH = 2000;
/** The part of the runs before anything is measured: code is compiled and heaps find their size. */
const WARM_UP = 0.2;
const MOST_GROWTH = 0.01;

export const proof: Proof = {
  name: 'leaks',
  title: 'A sandbox process stays as large as it was, whatever agents do in it, a million times',

  async run({ count = 1_000_000, log }) {
    const { runs, before, after } = await measureGrowth(count, log);
    const growth = after / before - 1;
    const size = (kilobytes: number): string => `${(kilobytes / 1024).toFixed(1)} MiB`;
    const line = `${runs} runs; resident ${size(before)} at first and ${size(after)} at last: ${(100 * growth).toFixed(2)} %`;
    const passed = growth < MOST_GROWTH;
    return { passed: passed ? 1 : 0, failed: passed ? 0 : 1, lines: [line] };
  },
};

/** Agents that answer, ask, grow their memory, keep what they can, trap, and run out of fuel. */
function agents(bench: Bench): AgentRef[] {
  const endless = new Code().loop().br(0).end().op('unreachable');
  const greedy = result(new Code().i32(40).memoryGrow().op('drop'), 0, 0, 0);
  return [
    bench.agent(echo()),
    bench.agent(answering('{"label":"ham"}')),
    bench.agent(asking(0, '{"model":"none","input":"/n"}'), { capabilities: ['infer'] }),
    bench.agent(counting()),
    bench.agent(agentModule({ step: greedy })),
    bench.agent(agentModule({ step: new Code().op('unreachable') })),
    bench.agent(agentModule({ step: endless }), { limits: { fuel: 20_000 } }),
  ];
}

/**
 * The resident memory of one sandbox process in KiB, the median over the first fifth of what is measured and over the last. The
 * process lives through all of it: a restart would hide a leak.
 */
export async function measureGrowth(
  count: number,
  log: (line: string) => void,
): Promise<{ runs: number; before: number; after: number }> {
  const bench = new Bench({ poolSize: 1, batchSize: 500 });
  try {
    const all = agents(bench);
    const sizes: number[] = [];
    const items = Array.from({ length: BATCH }, (_, i) => item({ n: i, text: 'word '.repeat(i % 50) }, i));
    let pid: number | undefined;
    let runs = 0;
    for (let batch = 0; runs < count; batch++, runs += BATCH) {
      await bench.fabric.run({ agent: all[batch % all.length]!, taskType: TASK_TYPE, items });
      const [now] = bench.fabric.pids();
      if (pid !== undefined && now !== pid) throw new Error(`the sandbox process ${pid} was replaced`);
      pid = now;
      if (runs >= WARM_UP * count) sizes.push(residentKilobytes(now!));
      if (batch % 50 === 0) log(`${runs} runs, ${Math.round(residentKilobytes(now!) / 1024)} MiB`);
    }
    const fifth = Math.max(1, Math.floor(sizes.length / 5));
    return { runs, before: median(sizes.slice(0, fifth)), after: median(sizes.slice(-fifth)) };
  } finally {
    bench.fabric.close();
  }
}

function residentKilobytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (found === null) throw new Error(`process ${pid} has no resident memory`);
  return Number(found[1]);
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
