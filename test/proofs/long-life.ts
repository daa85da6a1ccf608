import type { Proof } from '../../bench/harness/types.ts';
import { drawKills } from '../failpoints/cases.ts';
import { mochaHooks } from '../helpers/hooks.ts';
import { runLongLife, type LongLife } from '../helpers/long-life.ts';
import { startTestStack } from '../helpers/stack.ts';

const CALLS = 10_000;
const LIMIT_MS = 45 * 60_000;
const MAX_EVENTS = 10_000;
const MAX_HISTORY_BYTES = 5e6;
const ACTIVITIES_PER_TURN = 1.5;
const BYTES_PER_TURN = 64 * 1024;

export const proof: Proof = {
  name: 'long-life',
  title: `An agent of ${CALLS} tool calls and 200 KB of memory, undisturbed and with workers that die`,

  async run({ count = 20, seed, log }) {
    const stack = await startTestStack();
    try {
      const options = { stack, calls: CALLS, limitMs: LIMIT_MS, log };
      const undisturbed = await runLongLife(options);
      const kills = drawKills(seed, count, undisturbed.hits);
      const killed = await runLongLife({ ...options, kills });
      const checks: [string, boolean][] = [
        ...costs('undisturbed', undisturbed),
        ...costs(`with ${killed.killed} deaths`, killed),
        [`${killed.killed} workers died at failpoints, of ${count}`, killed.killed === count],
        [`the same transcript: ${killed.transcript}`, killed.transcript === undisturbed.transcript],
        [`the same record: ${killed.recordHash}`, killed.recordHash === undisturbed.recordHash],
        [`no effect is lost or there twice: ${killed.effects}`, killed.effects === undisturbed.effects],
      ];
      return {
        passed: checks.filter(([, holds]) => holds).length,
        failed: checks.filter(([, holds]) => !holds).length,
        lines: checks.map(([what, holds]) => `${holds ? 'ok     ' : 'FAILED '} ${what}`),
      };
    } finally {
      await stack.stop();
      await mochaHooks.afterAll();
    }
  },
};

/** What one life may cost. */
function costs(name: string, life: LongLife): [string, boolean][] {
  const { status, output, turns, runs, activities, bytesPerTurn } = life;
  const events = Math.max(...runs.map((run) => run.events));
  const bytes = Math.max(...runs.map((run) => run.bytes));
  const perTurn = activities / turns;
  return [
    [`${name}: ${status} after ${turns} turns, ${JSON.stringify(output)}`, status === 'completed' && turns > CALLS],
    [`${name}: at most ${events} events in one of ${runs.length} runs`, events <= MAX_EVENTS],
    [`${name}: at most ${bytes} bytes of history in a run`, bytes <= MAX_HISTORY_BYTES],
    [`${name}: ${perTurn.toFixed(3)} activities a turn`, perTurn <= ACTIVITIES_PER_TURN],
    [`${name}: ${Math.round(bytesPerTurn)} bytes written a turn`, bytesPerTurn <= BYTES_PER_TURN],
  ];
}
