import { rolloutInput } from '../../src/contracts/inputs.ts';
import { rolloutSettings } from '../../src/core/rollout/decision.ts';
import type { RolloutSettings } from '../../src/core/rollout/rollout.ts';
import { criterion, type BenchmarkResult } from '../harness/types.ts';
import { simulateRollouts } from '../simulations/rollout.ts';

const RUNS = 2_000;
const POWER_RUNS = 1_000;
/** The same net gain of 5 points, from ever more disagreement: what decides how many tasks a proof takes. */
const POWER: readonly (readonly [fixes: number, breaks: number])[] = [
  [0.05, 0],
  [0.06, 0.01],
  [0.07, 0.02],
  [0.08, 0.03],
  [0.1, 0.05],
  [0.15, 0.1],
];
/** Shares of tasks on which the versions of an A/A rollout disagree. */
const DISAGREEMENT = [0, 0.02, 0.07, 0.2];

/** Rollouts with the platform's defaults, but for the cap of 500 paired tasks. */
export function measureRollouts(seed: string): BenchmarkResult {
  const defaults = rolloutInput.parse({ taskType: 'simulated', challenger: 'simulated' });
  const settings: RolloutSettings = rolloutSettings({ ...defaults, cap: 500 });
  const same = DISAGREEMENT.map((share) => ({
    share,
    ...simulateRollouts({ runs: RUNS, seed: `${seed}/same`, fixes: share / 2, breaks: share / 2, settings }),
  }));
  const power = POWER.map(([fixes, breaks]) => ({
    fixes,
    breaks,
    ...simulateRollouts({ runs: POWER_RUNS, seed: `${seed}/better`, fixes, breaks, settings }),
  }));
  const worst = same.reduce((a, b) => (b.promotionRate > a.promotionRate ? b : a));
  const bound = defaults.alpha + 3 * Math.sqrt((defaults.alpha * (1 - defaults.alpha)) / RUNS);
  const named = power.find(({ breaks }) => breaks === 0.01)!;
  return {
    figures: {
      'simulated A/A rollouts: promoted by share of disagreement': Object.fromEntries(
        same.map(({ share, promotionRate }) => [`${100 * share} %`, promotionRate]),
      ),
      'simulated rollouts at +5 points: power within 500 tasks, tasks to the promotion': Object.fromEntries(
        power.map(({ fixes, breaks, promotionRate, pairsToPromotion: { median, p95 } }) => [
          `fixes ${Math.round(100 * fixes)} %, breaks ${Math.round(100 * breaks)} %`,
          { power: promotionRate, medianTasks: median, p95Tasks: p95 },
        ]),
      ),
    },
    criteria: [
      criterion(`A/A rollouts promoted, ${RUNS} each, worst share of disagreement`, worst.promotionRate, '<=', bound),
      criterion('power at +5 points (fixes 6 %, breaks 1 %) within 500 tasks', named.promotionRate, '>=', 0.95),
    ],
  };
}
