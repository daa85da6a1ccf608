import { availableParallelism } from 'node:os';
import type { Proof } from '../../bench/harness/types.ts';
import { stream } from '../../src/core/random/random.ts';
import { problemsOf, runKill, runServerKills, SERVERS } from '../failpoints/cases.ts';
import { runLoop, type LoopRun } from '../helpers/loop.ts';
import { startTestStack } from '../helpers/stack.ts';

/** A run mostly waits for a death to be noticed. */
const RUNS_AT_A_TIME = Math.max(2, Math.ceil(availableParallelism() / 2));

export const proof: Proof = {
  name: 'kills',
  title: 'Whatever dies at whatever place, the loop comes to the same champion, lineage, models and counts',

  async run({ count = 100, seed, log }) {
    const stack = await startTestStack({ durable: true });
    const lines: string[] = [];
    let passed = 0;
    let failed = 0;
    const tell = (name: string, problems: readonly string[], seconds: number): void => {
      const took = `(${seconds.toFixed(0)} s)`;
      log(problems.length === 0 ? `ok      ${name} ${took}` : `FAILED  ${name} ${took}`);
      if (problems.length === 0) passed += 1;
      else {
        failed += 1;
        lines.push(`${name}, seed ${seed}:`, ...problems.map((problem) => `  ${problem}`));
      }
    };
    try {
      const undisturbed = await runLoop({ stack });
      tell('undisturbed', undisturbed.wrongs, undisturbed.seconds);
      const { hits, facts } = undisturbed;
      const attempt = async (name: string, work: () => Promise<{ detail?: string; run: LoopRun }>): Promise<void> => {
        const begun = performance.now();
        try {
          const { detail = '', run } = await work();
          const missed = run.disturbed ? [] : ['nothing was killed'];
          tell(`${name}${detail}`, [...missed, ...problemsOf(run, facts)], run.seconds);
        } catch (error) {
          tell(name, [String((error as Error).stack ?? error)], (performance.now() - begun) / 1000);
        }
      };
      for (const server of SERVERS)
        await attempt(`kill of ${server}`, async () => ({ run: await runServerKills(stack, [server]) }));
      let next = 0;
      const lane = async (): Promise<void> => {
        for (let n = next++; n < count; n = next++) {
          const workers = stream(seed, n, 0, 'kills/workers').chance(0.5) ? 1 : 3;
          await attempt(`kill ${n + 1} of ${count}`, async () => {
            const { kill, run } = await runKill({ stack, workers }, seed, n, hits);
            return { run, detail: `: ${kill.name}, occurrence ${kill.occurrence}, workers ${workers}` };
          });
        }
      };
      await Promise.all(Array.from({ length: RUNS_AT_A_TIME }, lane));
    } finally {
      await stack.stop();
    }
    return { passed, failed, lines };
  },
};
