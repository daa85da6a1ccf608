import { availableParallelism } from 'node:os';
import { ChimeraError } from '../../src/contracts/errors.ts';
import { canonicalBytes } from '../../src/core/canonical/canonical.ts';
import { DEFAULT_LIMITS } from '../../src/core/execution/limits.ts';
import { createStepEngine } from '../../src/fabric/abi/step.ts';
import { guardModule } from '../../src/fabric/guard/guard.ts';
import { openWasmtime } from '../../src/fabric/wasmtime/engine.ts';
import { alternate } from '../harness/measure.ts';
import type { Comparison } from '../harness/measure.ts';
import { criterion } from '../harness/types.ts';
import type { BenchmarkResult } from '../harness/types.ts';
import { cpuBetween, cpuSeconds } from '../platform/cpu.ts';
import { TASK_TYPE, fabricOf, items, smallAgent } from './agents.ts';

/** Sandboxes, and so processors: what the criterion is about, however many there are. */
const PROCESSES = 2;
const RUNS = 16_384;
/** Agents that share the items of an evaluation. */
const CANDIDATES = 8;
const WARMUPS = 3;
/** Rounds in which processor time is counted, in ticks of 10 ms. */
const TIMED_ROUNDS = 4;

type Way = 'run' | 'evaluate';
const WAYS: Readonly<Record<Way, string>> = {
  run: 'full records, hashed, one agent',
  evaluate: `columns of verdicts, ${CANDIDATES} agents on the same inputs`,
};

/**
 * Runs of a small agent a second: through the pool, from the call of the fabric to its answer, against a loop in this process
 * that does no more than what an engine must: a fresh store and instance, the step lowered, called and lifted.
 */
export async function measureThroughput(
  library: string,
  full: boolean,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const bare = bareLoop(library, RUNS);
  const rounds = full ? 31 : 11;
  const figures: BenchmarkResult['figures'] = {
    'runs, what the peer is':
      'bare: one thread of this process, wasmtime by the same binding, the same guarded module, a fresh store and instance for each run, step lowered, called and lifted; no JSON, no record, no hash, no other process',
    'runs, what the pool is': `${PROCESSES} sandbox processes on ${availableParallelism()} processors, which this process needs a part of; V8 is the engine that agents get who ask for none`,
  };
  const measured = new Map<string, Comparison>();
  for (const engine of ['v8', 'wasmtime'] as const) {
    const modules = Array.from({ length: CANDIDATES }, (_, number) => smallAgent(number));
    const { fabric, agents } = fabricOf(modules, { poolSize: PROCESSES, wasmtime: library, engine });
    const inputs = items(RUNS);
    const ways: Readonly<Record<Way, () => Promise<unknown>>> = {
      run: () => fabric.run({ agent: agents[0]!, taskType: TASK_TYPE, items: inputs }),
      evaluate: () => fabric.evaluate({ agents, taskType: TASK_TYPE, items: inputs.slice(0, RUNS / CANDIDATES) }),
    };
    try {
      for (const way of ['run', 'evaluate'] as const) {
        const name = `${engine}, ${way} (${WAYS[way]})`;
        const compared = await alternate(
          () => rate(ways[way], RUNS),
          () => rate(bare, RUNS),
          rounds,
          WARMUPS,
        );
        measured.set(`${engine} ${way}`, compared);
        figures[`runs/s, pool on ${name}`] = { ...compared.a };
        figures[`runs/s, bare wasmtime beside ${engine}, ${way}`] = { ...compared.b };
        figures[`runs/s, pool on ${name} / bare wasmtime`] = { ...compared.ratio };
        figures[`processor µs a run, pool on ${name}`] = await processorTime(ways[way], PROCESSES);
        log(`${name}: ${Math.round(compared.a.median)}/s, ${compared.ratio.median.toFixed(2)} of bare wasmtime`);
      }
    } finally {
      fabric.close();
    }
  }
  figures['processor µs a run, bare wasmtime'] = await processorTime(() => Promise.resolve(bare()), 1);
  const criteria = (['run', 'evaluate'] as const).flatMap((way) => {
    const { a, ratio } = measured.get(`v8 ${way}`)!;
    return [
      criterion(`fresh-instance runs through the pool: ${WAYS[way]}`, a.median, '>=', 20_000, 'runs/s'),
      criterion('the same against bare in-process wasmtime', ratio.median, '>=', 0.6),
    ];
  });
  return { figures, criteria };
}

/** @returns what runs the first agent on as many inputs, one after the other */
export function bareLoop(library: string, runs: number): () => void {
  const guarded = guardModule(smallAgent(0), DEFAULT_LIMITS);
  const engine = createStepEngine(openWasmtime(library)(guarded), guarded, DEFAULT_LIMITS);
  const state = new Uint8Array(0);
  const events = items(runs).map(({ seed, prepared: { payload, features } }) => ({
    turn: 0,
    seed,
    time: 0,
    body: { kind: 'start' as const, payload: canonicalBytes(payload), features },
  }));
  return () => {
    for (const event of events) {
      const step = engine.step(state, event, DEFAULT_LIMITS.fuel);
      if (!step.ok) throw new ChimeraError('CHIMERA_INTERNAL', { why: `the agent trapped: ${step.message}` });
    }
  };
}

async function rate(work: () => unknown, runs: number): Promise<number> {
  const begun = performance.now();
  await work();
  return (1000 * runs) / (performance.now() - begun);
}

/**
 * Processor time of this process and its sandboxes, and the runs a second of so many processors at that cost: what other processes
 * on the machine hardly change.
 */
async function processorTime(work: () => Promise<unknown>, processors: number): Promise<Record<string, number>> {
  const before = cpuSeconds();
  for (let round = 0; round < TIMED_ROUNDS; round++) await work();
  const { sandboxes = 0, ...rest } = cpuBetween(before, cpuSeconds());
  const perRun = (seconds: number): number => (1e6 * seconds) / (TIMED_ROUNDS * RUNS);
  const here = perRun(Object.values(rest).reduce((sum, seconds) => sum + seconds, 0));
  const there = perRun(sandboxes);
  const figures = { 'this process': here, sandboxes: there };
  return { ...figures, [`runs/s at that cost on ${processors}`]: (1e6 * processors) / (here + there) };
}
