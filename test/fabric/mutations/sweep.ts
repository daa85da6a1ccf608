import { isChimeraError } from '../../../src/contracts/errors.ts';
import { stream } from '../../../src/core/random/random.ts';
import { createFabric } from '../../../src/fabric/index.ts';
import type { Fabric } from '../../../src/fabric/index.ts';
import { MANIFEST } from '../harness.ts';
import { mutate } from './mutate.ts';

/** Publications that are under way at once: enough that no sandbox waits. */
const LANES = 6;
/** Little, so that mutants that run for ever do not for long. */
const LIMITS = { fuel: 100_000, memoryPages: 64 };
const PROCESSES = 2;

export interface MutantSweep {
  readonly seed: string;
  readonly from: number;
  readonly count: number;
  readonly corpus: readonly Uint8Array[];
  /** Path of the wasmtime library: what the guard accepts is then tried there too, and must end alike. */
  readonly library?: string;
  readonly onProgress?: (report: MutantReport, next: number) => void;
}

export interface MutantReport {
  tried: number;
  /** Accepted, and how the first step ended: `answered` or a kind of trap. */
  readonly accepted: Map<string, number>;
  /** Refused, by the guard's rule. */
  readonly refused: Map<string, number>;
  /** A line for each mutant that ended in any other way: a process died, an error nobody foresaw, engines that differ. */
  readonly faults: string[];
}

/** How the first step of a mutant ended and what it cost, or by what rule it was refused. */
type Published = { readonly ended: string; readonly fuel: number } | { readonly rule: string };

async function publish(fabric: Fabric, mutant: Uint8Array): Promise<Published> {
  try {
    const { smoke } = await fabric.publish(mutant, { ...MANIFEST, limits: LIMITS });
    return { ended: smoke.ok ? 'answered' : String(smoke.trap), fuel: smoke.fuel };
  } catch (error) {
    if (isChimeraError(error, 'CHIMERA_AGENT_REFUSED')) return { rule: String(error.details['rule']) };
    throw error;
  }
}

/** Mutant `index` of a seed. */
export function mutant({ seed, corpus }: Pick<MutantSweep, 'seed' | 'corpus'>, index: number): Uint8Array {
  const random = stream(seed, 0, index, 'mutations');
  return mutate(random.pick(corpus), random, corpus);
}

/** Sends mutants through the whole fabric as if somebody published them: guard, compiler and a first step in a sandbox. */
export async function sweepMutants(options: MutantSweep): Promise<MutantReport> {
  const { from, count, library, onProgress } = options;
  const resolve = (): never => {
    throw new Error('a mutant asks for nothing');
  };
  const v8 = createFabric({ poolSize: PROCESSES, resolve });
  const native =
    library === undefined
      ? undefined
      : createFabric({ poolSize: PROCESSES, resolve, wasmtime: library, engine: 'wasmtime' });
  const report: MutantReport = { tried: 0, accepted: new Map(), refused: new Map(), faults: [] };
  const tally = (into: Map<string, number>, key: string): void => void into.set(key, (into.get(key) ?? 0) + 1);

  const tryOne = async (index: number): Promise<void> => {
    const bytes = mutant(options, index);
    const first = await publish(v8, bytes);
    if ('rule' in first) return tally(report.refused, first.rule);
    tally(report.accepted, first.ended);
    if (native === undefined) return;
    const second = await publish(native, bytes);
    const show = JSON.stringify;
    if (show(first) !== show(second))
      report.faults.push(`mutant ${index}: V8 ${show(first)}, wasmtime ${show(second)}`);
  };
  let next = from;
  const atWork = new Set<number>();
  const lane = async (): Promise<void> => {
    while (next < from + count) {
      const index = next++;
      atWork.add(index);
      try {
        await tryOne(index);
      } catch (error) {
        report.faults.push(`mutant ${index}: ${String(error)}`);
      }
      atWork.delete(index);
      report.tried++;
      onProgress?.(report, Math.min(next, ...atWork));
    }
  };
  try {
    await Promise.all(Array.from({ length: LANES }, lane));
    return report;
  } finally {
    v8.close();
    native?.close();
  }
}
