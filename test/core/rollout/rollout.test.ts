import assert from 'node:assert/strict';
import fc from 'fast-check';
import { simulateRollouts } from '../../../bench/simulations/rollout.ts';
import { createBetting, updateBetting } from '../../../src/core/rollout/betting.ts';
import { createRollout, explainRollout, rolloutStage, updateRollout } from '../../../src/core/rollout/rollout.ts';
import type { RolloutSettings, RolloutState } from '../../../src/core/rollout/rollout.ts';

/** Plays pairs of [champion's score, challenger's score]. */
function play(
  scores: readonly (readonly [number, number])[],
  settings: RolloutSettings = {},
  costs = [1, 1],
): RolloutState {
  let state = createRollout(settings);
  scores.forEach(([champion, challenger], ordinal) => {
    state = updateRollout(state, {
      ordinal,
      champion: { score: champion, cost: costs[0]! },
      challenger: { score: challenger, cost: costs[1]! },
    });
  });
  return state;
}
const repeat = (n: number, pair: readonly [number, number]): (readonly [number, number])[] =>
  Array.from({ length: n }, () => pair);

describe('rollout/betting', () => {
  it('is a martingale at the bound and falls below it, from any history', () => {
    const value = fc.constantFrom(-1, -0.5, 0, 0.5, 1);
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 30 }),
        fc.double({ min: -0.3, max: 0.3, noNaN: true }),
        (history, bound) => {
          let state = createBetting(bound);
          for (const x of history) state = updateBetting(state, x);
          const growth = (x: number): number => Math.exp(updateBetting(state, x).logCapital - state.logCapital);
          const win = (1 + bound) / 2;
          assert.ok(Math.abs(win * growth(1) + (1 - win) * growth(-1) - 1) < 1e-9);
          assert.ok((win - 0.1) * growth(1) + (1.1 - win) * growth(-1) < 1);
        },
      ),
    );
  });
});

describe('rollout', () => {
  it('seldom promotes an equal challenger', () => {
    const { promotionRate } = simulateRollouts({ runs: 150, seed: 'aa', fixes: 0.05, breaks: 0.05 });
    assert.ok(promotionRate <= 0.05 + 3 * Math.sqrt((0.05 * 0.95) / 150), String(promotionRate));
  });

  it('promotes a challenger that fixes 6 % and breaks 1 % within 500 tasks', () => {
    const { promotionRate, pairsToPromotion } = simulateRollouts({
      runs: 100,
      seed: 'power',
      fixes: 0.06,
      breaks: 0.01,
    });
    assert.ok(promotionRate >= 0.92, String(promotionRate));
    assert.ok(pairsToPromotion.median < 250);
  });

  it('rolls back a worse challenger at once, long before the cap', () => {
    const state = play([...repeat(5, [1, 1]), ...repeat(20, [1, 0])]);
    assert.deepEqual(
      [state.decision.kind, 'reason' in state.decision && state.decision.reason],
      ['rollback', 'harmful'],
    );
    assert.ok(state.pairs < 20);
    assert.match(explainRollout(state).text, /^rolled back: the challenger is shown worse \(at ordinal \d+\)/);
  });

  it('rolls back at the cap: not shown better', () => {
    const state = play(repeat(60, [1, 1]), { cap: 50, shadowPairs: 10 });
    assert.deepEqual(state.decision, { kind: 'rollback', reason: 'not-shown-better', atOrdinal: 49 });
    assert.equal(state.pairs, 50);
  });

  it('promotes only after the shadow, with evidence gathered in it', () => {
    const shadow = play(repeat(30, [0, 1]), { shadowPairs: 40 });
    assert.equal(shadow.decision.kind, 'continue');
    assert.equal(rolloutStage(shadow), 'shadow');
    assert.match(explainRollout(shadow).text, /^undecided, in shadow/);
    const state = play(repeat(40, [0, 1]), { shadowPairs: 40 });
    assert.deepEqual(state.decision, { kind: 'promote', reason: 'shown-better', atOrdinal: 39 });
    assert.equal(rolloutStage(state), 'canary');
  });

  it('asks for the minimum effect, not just for any', () => {
    const gains = Array.from({ length: 900 }, (_, i) => (i % 25 === 0 ? ([0, 1] as const) : ([1, 1] as const)));
    assert.equal(play(gains).decision.kind, 'promote');
    assert.equal(play(gains, { minEffect: 0.05 }).decision.kind, 'continue');
  });

  it('promotes an equal challenger that is cheaper, but not a dearer or a worse one', () => {
    const settings = { cap: 800, cost: { margin: 0.02 } };
    const decided = (state: RolloutState): string => ('reason' in state.decision ? state.decision.reason : 'continue');
    const equal = repeat(800, [1, 1]);
    assert.equal(decided(play(equal, settings, [10, 2])), 'as-good-and-cheaper');
    assert.equal(decided(play(equal, settings, [10, 9.5])), 'not-shown-better');
    assert.equal(decided(play(equal, settings, [2, 10])), 'not-shown-better');
    assert.equal(decided(play(equal, settings, [0, 0])), 'not-shown-better');
    assert.equal(decided(play(equal, { cap: 800 }, [10, 2])), 'not-shown-better');
    const worse = Array.from({ length: 800 }, (_, i) => (i % 20 === 0 ? ([1, 0] as const) : ([1, 1] as const)));
    assert.equal(decided(play(worse, settings, [10, 2])), 'harmful');
  });

  it('counts pairs without both scores apart and takes graded scores', () => {
    let state = updateRollout(createRollout(), { ordinal: 4, champion: { score: 1, cost: 1 } });
    state = updateRollout(state, {
      ordinal: 9,
      champion: { score: 0.5, cost: 1 },
      challenger: { score: 0.75, cost: 1 },
    });
    const { pairs, unscorable, wins, effect } = explainRollout(state);
    assert.deepEqual([pairs, unscorable, wins, effect], [1, 1, 1, 0.25]);
  });

  it('stays as decided, survives JSON, and explains every path with its threshold', () => {
    const state = play(repeat(60, [0, 1]), { cost: { margin: 0.01, costAlpha: 0.01 } });
    assert.deepEqual(JSON.parse(JSON.stringify(state)), state);
    assert.equal(updateRollout(state, { ordinal: 999 }), state);
    const { evidence } = explainRollout(state);
    assert.deepEqual(
      evidence.map((e) => e.path),
      ['better', 'worse', 'as-good', 'cheaper'],
    );
    assert.ok(evidence[0]!.eValue >= evidence[0]!.needed && Math.abs(evidence[0]!.needed - 25) < 1e-9);
  });

  it('refuses bad settings and pairs, all problems at once', () => {
    const problems = (action: () => unknown): string[] => {
      try {
        action();
      } catch (error) {
        return (error as { details: { problems: { path: string }[] } }).details.problems.map((p) => p.path);
      }
      return [];
    };
    const bad = { alpha: 0, harmAlpha: 2, minEffect: 1, cap: 0, shadowPairs: -1, cost: { margin: 0, minSaving: 1 } };
    assert.deepEqual(
      problems(() => createRollout(bad)),
      [
        '/alpha',
        '/harmAlpha',
        '/minEffect',
        '/cap',
        '/shadowPairs',
        '/cost/margin',
        '/cost/costAlpha',
        '/cost/minSaving',
      ],
    );
    const pair = { ordinal: -1, champion: { score: 2, cost: 1 }, challenger: { score: 0, cost: -1 } };
    assert.deepEqual(
      problems(() => updateRollout(createRollout(), pair)),
      ['/ordinal', '/champion/score', '/challenger/cost'],
    );
  });
});
