import type { Benchmark, BenchmarkResult } from './harness/types.ts';
import { measureDrift } from './mail/drift.ts';
import { measureLearning } from './mail/learning.ts';
import { measureRollouts } from './mail/rollouts.ts';
import { measureShuffled } from './mail/shuffled.ts';
import { onTemporaryPlatform, seconds } from './platform/temporary.ts';

/** Orders of the stream that the whole loop is played on: the seed's own, and with `--full` two more. */
const orders = (seed: string, full: boolean): string[] => (full ? [seed, `${seed}-2`, `${seed}-3`] : [seed]);

export const benchmark: Benchmark = {
  name: 'mail-triage',
  title: 'The loop learns: champions on real mail against keywords and scikit-learn, and its negative controls',
  async run({ full, seed, log }): Promise<BenchmarkResult> {
    const results: BenchmarkResult[] = [];
    const begun = performance.now();
    const part = async (name: string, work: () => Promise<BenchmarkResult> | BenchmarkResult): Promise<void> => {
      log(`${name} …`);
      const started = performance.now();
      results.push(await work());
      log(`${name}: ${seconds(started)} s`);
    };
    for (const order of orders(seed, full)) {
      await onTemporaryPlatform(log, async (platform, signal) => {
        await part(`the stream plan, order ${order}`, () => measureLearning(platform, order, signal, log));
        // The controls need a platform, but not one for each order.
        if (order === seed) {
          await part('cycles on shuffled labels', () => measureShuffled(platform, seed, signal, log));
        }
      });
    }
    await part('drift', () => measureDrift(seed));
    await part('simulated rollouts', () => measureRollouts(seed));
    return {
      figures: { ...Object.assign({}, ...results.map(({ figures }) => figures)), 'whole run, seconds': seconds(begun) },
      criteria: results.flatMap(({ criteria }) => criteria),
    };
  },
};
