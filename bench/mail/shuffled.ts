import { loadExample } from '../../src/cli/demo/example.ts';
import { playExample } from '../../src/cli/demo/play.ts';
import type { Platform } from '../../src/cli/platform.ts';
import { criterion, type BenchmarkResult } from '../harness/types.ts';

const CYCLES = 5;
/** Of these about 500 come in before the cycle, and 250 are for its rollout. */
const MAILS = 1_500;

/**
 * Cycles that learn from labels dealt out anew, each on a stream of its own (another project, another order of the first
 * wave, another seed): there is nothing true to learn, so nothing may be promoted. Live feedback stays true, as in
 * production.
 */
export async function measureShuffled(
  platform: Platform,
  seed: string,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const { stores } = platform;
  const example = await loadExample('mail-triage');
  const outcomes: string[] = [];
  let promoted = 0;
  for (let cycle = 1; cycle <= CYCLES; cycle++) {
    const project = `shuffled-${cycle}`;
    await stores.projects.ensure(project);
    const { key } = await stores.apiKeys.create(project, 'bench');
    const own = `${seed}/shuffled/${cycle}`;
    const items = await example.load({ seed: own, limit: MAILS });
    await playExample(
      platform,
      example,
      items.filter(({ part }) => part === 'stream-1' || part === 'rollout-1'),
      {
        seed: own,
        name: own,
        signal,
        tenant: { project, apiKey: key },
        cycle: { shuffleLabels: true },
        onEvent: (event) => {
          if (event.kind === 'cycle' && event.view.state !== 'running') outcomes[cycle - 1] = event.text;
        },
      },
    );
    const history = await stores.deployments.history(project, example.taskType.name);
    if (new Set(history.map(({ champion }) => champion)).size > 1) promoted++;
    log(`  shuffled ${cycle}: ${outcomes[cycle - 1] ?? 'no outcome'}`);
  }
  return {
    figures: { 'cycles on shuffled labels': outcomes },
    criteria: [
      criterion('cycles on shuffled labels that were run to their end', outcomes.filter(Boolean).length, '=', CYCLES),
      criterion('promotions by cycles on shuffled labels', promoted, '=', 0),
    ],
  };
}
