import { ChimeraError, isChimeraError } from '../../src/contracts/errors.ts';
import { DEFAULT_LIMITS } from '../../src/core/execution/limits.ts';
import { EXTERN_KIND } from '../../src/fabric/wasmtime/layout.ts';
import { quantile } from '../harness/measure.ts';
import { criterion } from '../harness/types.ts';
import type { BenchmarkResult } from '../harness/types.ts';
import { ENDLESS_LIMITS, TASK_TYPE, endlessAgent, fabricOf, items, smallAgent } from './agents.ts';
import { percentiles } from './cold-start.ts';
import { compileGuarded, instanceOf, openWithEpochs } from './epochs.ts';

const DEADLINE_MS = 25;
const [ITEM] = items(1);

/**
 * How long after its wall deadline an agent that never answers is over: in the pool, which kills its process, and in this process by
 * wasmtime's own means, an epoch that a thread counts on.
 */
export async function measureDeadline(
  library: string,
  full: boolean,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const samples = full ? 400 : 100;
  const figures: BenchmarkResult['figures'] = {};
  const overshoots: Record<string, number[]> = {};
  for (const engine of ['v8', 'wasmtime'] as const) {
    overshoots[engine] = await pooled(library, engine, samples);
    figures[`overshoot of a deadline of ${DEADLINE_MS} ms, pool on ${engine}, from the call of the fabric, ms`] =
      percentiles(overshoots[engine]);
    log(`deadline, pool on ${engine}: p99 ${quantile(overshoots[engine], 0.99).toFixed(2)} ms late`);
  }
  const epochs = await bare(library, samples);
  figures['overshoot of the same, bare epoch deadline of wasmtime in this process, ticks of 1 ms, ms'] =
    percentiles(epochs);
  const worst = Math.max(...Object.values(overshoots).map((values) => quantile(values, 0.99)));
  return {
    figures,
    criteria: [criterion('overshoot of the wall deadline, p99, the later of both engines', worst, '<=', 20, 'ms')],
  };
}

async function pooled(library: string, engine: 'v8' | 'wasmtime', samples: number): Promise<number[]> {
  const { fabric, agents } = fabricOf(
    [smallAgent(0), endlessAgent()],
    { poolSize: 1, wasmtime: library, engine },
    ENDLESS_LIMITS,
  );
  const [healthy, endless] = agents;
  const taskType = { ...TASK_TYPE, limits: ENDLESS_LIMITS };
  const overshoots: number[] = [];
  try {
    while (overshoots.length < samples) {
      // The one before has ended its process; a deadline counts from when the next one is up.
      await fabric.run({ agent: healthy!, taskType, items: [ITEM!] });
      const begun = performance.now();
      try {
        await fabric.run({ agent: endless!, taskType, items: [ITEM!] }, { deadlineMs: DEADLINE_MS });
      } catch (error) {
        if (!isChimeraError(error, 'CHIMERA_WALL_DEADLINE')) throw error;
        overshoots.push(performance.now() - begun - DEADLINE_MS);
        continue;
      }
      throw new ChimeraError('CHIMERA_INTERNAL', { why: 'an agent that never answers did' });
    }
    return overshoots;
  } finally {
    fabric.close();
  }
}

async function bare(library: string, samples: number): Promise<number[]> {
  const peer = openWithEpochs(library);
  const module = compileGuarded(peer.host, endlessAgent(), DEFAULT_LIMITS);
  const stop = await peer.tick();
  const overshoots: number[] = [];
  try {
    for (let sample = 0; sample < samples; sample++) {
      // The tick that is under way counts as one.
      peer.deadline(DEADLINE_MS + 1);
      const begun = performance.now();
      const instance = instanceOf(peer.host, module);
      const step = peer.host.export(instance, 'step', EXTERN_KIND.func);
      let ended = false;
      try {
        peer.host.call(instance, step, [0, 0, 0, 0n, 0n, 0, 0, 0, 0, 0]);
      } catch {
        ended = true;
      } finally {
        overshoots.push(performance.now() - begun - DEADLINE_MS);
        peer.host.release(instance);
      }
      if (!ended) throw new ChimeraError('CHIMERA_INTERNAL', { why: 'an agent that never answers did' });
    }
    return overshoots;
  } finally {
    await stop();
  }
}
