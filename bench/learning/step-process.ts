import type { AdapterSpec } from '../../src/contracts/adapters.ts';
import type { TrainingSet } from '../../src/learning/training/types.ts';
import { startLines } from '../peers/line-process.ts';
import type { TrainingCase } from './cases.ts';

/** What our process trains: `steps.ts` reads it. */
export interface StepsFile extends Pick<TrainingCase, 'base' | 'precision'> {
  readonly spec: AdapterSpec;
  readonly data: TrainingSet;
}

/** What steps of training took. */
export interface Took {
  readonly seconds: number;
  /** Seconds of a processor: what a machine with other work to do does not stretch as much. */
  readonly busy: number;
  /** Most memory that the process has held until then, mapped files and all, in bytes. */
  readonly peak: number;
}

/** A process that takes as many steps as a line on its standard input says, and answers each with a line of {@link Took}. */
export interface StepProcess {
  steps(count: number): Promise<Took>;
  /** What share of a step is products of matrices. Asked of the peer. */
  products(): Promise<number>;
  close(): Promise<void>;
}

/** Starts one. Throws `CHIMERA_SETUP` with the last lines of its errors where it ends before it is told to. */
export function startSteps(...program: Parameters<typeof startLines>): StepProcess {
  const { ask, close } = startLines(...program);
  return {
    steps: async (count) => (await ask(count)) as Took,
    products: async () => ((await ask('products')) as { products: number }).products,
    close,
  };
}
