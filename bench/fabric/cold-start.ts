import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AgentRef, Fabric } from '../../src/fabric/index.ts';
import { sandboxWalls } from '../../src/fabric/pool/walls.ts';
import { WASMTIME_FLAG, packBatch } from '../../src/fabric/protocol.ts';
import { quantile } from '../harness/measure.ts';
import { criterion } from '../harness/types.ts';
import type { BenchmarkResult } from '../harness/types.ts';
import { TASK_TYPE, agentsOf, fabricOf, items, smallAgent } from './agents.ts';
import type { ColdStarts } from './cold-start-child.ts';

/** Agents that take turns, so that none runs twice in a row. */
const AGENTS = 64;
/** Turns of each before one counts: as in a service that runs, the code on both sides of the pipe is compiled by then. */
const WARMUPS = 100;
const [ITEM] = items(1);
const CHILD = fileURLToPath(new URL('./cold-start-child.ts', import.meta.url));
const ECHO = fileURLToPath(new URL('./echo-child.ts', import.meta.url));

/**
 * How long one run takes whose module was compiled before, and one whose module nobody has compiled. In a sandbox: from the batch to its
 * record, as hosts of WebAssembly state it. Through the pool: from the call of the fabric, beside the limit that the machine sets, a message of
 * the same bytes to a process that sends it back.
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
  const rounds = full ? 80 : 40;
  const modules = Array.from({ length: AGENTS * 4 }, (_, number) => smallAgent(number));
  const worst = { inside: 0, pool: 0 };
  for (const engine of ['v8', 'wasmtime'] as const) {
    const { fabric, agents } = fabricOf(modules, { poolSize: 2, wasmtime: library, engine });
    const own = { agents: agents.slice(-AGENTS), modules: modules.slice(-AGENTS) };
    try {
      const inside = await insideTimes({ ...own, warmups: WARMUPS, rounds }, engine === 'v8' ? undefined : library);
      await fabric.run({ agent: agents[0]!, taskType: TASK_TYPE, items: [ITEM!] });
      const first = await timesOf(fabric, agents.slice(1));
      const turns = (count: number): AgentRef[] => Array.from({ length: count }, () => own.agents).flat();
      await timesOf(fabric, turns(WARMUPS));
      const cached = await timesOf(fabric, turns(rounds));
      figures[`cold start, ${engine}, a module that was compiled before, in a sandbox, ms`] = percentiles(inside);
      figures[`cold start, ${engine}, the same through the pool, ms`] = percentiles(cached);
      figures[`cold start, ${engine}, a module that nobody has compiled, through the pool, ms`] = percentiles(first);
      log(`cold start, ${engine}: cached p99 ${quantile(inside, 0.99).toFixed(2)} ms in a sandbox`);
      log(`cold start, ${engine}: cached p99 ${quantile(cached, 0.99).toFixed(2)} ms through the pool`);
      worst.inside = Math.max(worst.inside, quantile(inside, 0.99));
      worst.pool = Math.max(worst.pool, quantile(cached, 0.99));
    } finally {
      fabric.close();
    }
  }
  const echoes = await echoTimes(agentsOf(modules)[0]!, WARMUPS * AGENTS, rounds * AGENTS);
  figures['cold start, a message to a process that sends it back, ms'] = percentiles(echoes);
  log(`cold start, the limit: a message to a process and back, p99 ${quantile(echoes, 0.99).toFixed(2)} ms`);
  const what = 'cold start of a cached module, p99, the later of both engines';
  return {
    figures,
    criteria: [
      criterion(`${what}, in a sandbox`, worst.inside, '<=', 1, 'ms'),
      criterion(`${what}, through the pool`, worst.pool, '<=', 1, 'ms'),
    ],
  };
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

/** The times that a process inside of the walls says. */
async function insideTimes(request: ColdStarts, library: string | undefined): Promise<number[]> {
  const child = walled(CHILD, library === undefined ? [] : [`${WASMTIME_FLAG}${library}`], library);
  try {
    const answer = once(child, 'message') as Promise<[number[]]>;
    child.send(request);
    return (await answer)[0];
  } finally {
    child.kill('SIGKILL');
  }
}

/** What a message of the same size takes to a process inside of the walls and back. */
async function echoTimes(agent: AgentRef, warmups: number, count: number): Promise<number[]> {
  const child = walled(ECHO, [], undefined);
  const message = {
    type: 'batch',
    id: 1,
    ...packBatch({ kind: 'run', job: { agent, taskType: TASK_TYPE, items: [ITEM!] } }),
  };
  const times: number[] = [];
  try {
    while (times.length < warmups + count) {
      const begun = performance.now();
      const answer = once(child, 'message');
      child.send(message);
      await answer;
      times.push(performance.now() - begun);
    }
    return times.slice(warmups);
  } finally {
    child.kill('SIGKILL');
  }
}

function walled(entry: string, argv: readonly string[], library: string | undefined): ChildProcess {
  const [program, ...flags] = sandboxWalls().command(library);
  return spawn(program, [...flags, entry, ...argv], {
    env: {},
    cwd: '/',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
}

/** What a distribution is, without its name's unit. */
export const percentiles = (values: readonly number[]): Record<string, number> => ({
  p50: quantile(values, 0.5),
  p90: quantile(values, 0.9),
  p99: quantile(values, 0.99),
  runs: values.length,
});
