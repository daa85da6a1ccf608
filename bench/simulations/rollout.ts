import { createRollout, updateRollout } from '../../src/core/rollout/rollout.ts';
import type { RolloutReason, RolloutSettings } from '../../src/core/rollout/rollout.ts';
import { stream } from '../../src/core/random/random.ts';

/** What many simulated rollouts decided. */
export interface RolloutSimulation {
  readonly runs: number;
  readonly promoted: number;
  readonly promotionRate: number;
  /** Standard error of the promotion rate. */
  readonly standardError: number;
  readonly reasons: Readonly<Record<RolloutReason, number>>;
  /** Pairs to a promotion: median and 95th percentile (NaN without promotions). */
  readonly pairsToPromotion: { readonly median: number; readonly p95: number };
}

/**
 * Rollouts of `settings.cap` (default 500) right/wrong pairs at most, in which the challenger fixes a share `fixes` of all tasks and
 * breaks a share `breaks`; fixes = breaks is an A/A rollout. Its cost is `1 − saving` of the champion's on average.
 */
export function simulateRollouts(options: {
  runs: number;
  seed: string;
  fixes: number;
  breaks: number;
  saving?: number;
  settings?: RolloutSettings;
}): RolloutSimulation {
  const { runs, seed, fixes, breaks, saving = 0, settings } = options;
  const reasons = { 'shown-better': 0, 'as-good-and-cheaper': 0, harmful: 0, 'not-shown-better': 0 };
  const pairs: number[] = [];
  for (let run = 0; run < runs; run++) {
    const draws = stream(seed, 0, run, 'simulate-rollout');
    let state = createRollout({ cap: 500, ...settings });
    for (let ordinal = 0; state.decision.kind === 'continue'; ordinal++) {
      const u = draws.uniform();
      const x = u < fixes ? 1 : u < fixes + breaks ? -1 : 0;
      const both = draws.chance(0.9) ? 1 : 0;
      const cost = 2000 * draws.uniform() * (1 - saving);
      state = updateRollout(state, {
        ordinal,
        champion: { score: x === 0 ? both : x < 0 ? 1 : 0, cost: 2000 * draws.uniform() },
        challenger: { score: x === 0 ? both : x > 0 ? 1 : 0, cost },
      });
    }
    reasons[state.decision.reason]++;
    if (state.decision.kind === 'promote') pairs.push(state.pairs);
  }
  pairs.sort((a, b) => a - b);
  const at = (q: number): number => pairs[Math.min(pairs.length - 1, Math.floor(q * pairs.length))] ?? NaN;
  const rate = pairs.length / runs;
  return {
    runs,
    promoted: pairs.length,
    promotionRate: rate,
    standardError: Math.sqrt((rate * (1 - rate)) / runs),
    reasons,
    pairsToPromotion: { median: at(0.5), p95: at(0.95) },
  };
}
