import { log } from '../stats/math.ts';

/**
 * A test martingale against "the p-values are independent and uniform on [0, 1]": the Simple Jumper of Vovk et al. (2021)
 * with more bets and a jump rate that falls with time. Capital sits on betting functions f with mean 1 under the null;
 * each step a part of the idle capital (f = 1) moves onto the bets and a part of the bets' capital becomes idle.
 *
 * The constant rate of the Simple Jumper loses capital exponentially over a long quiet stretch, which then has to be won
 * back. A rate of 1/(2n + 50) at step n makes the loss only about √n, while a change at step n still costs no more than
 * about log n to catch: this is a mixture over starting points (and over which bet), which keeps Ville's bound.
 */
export interface Martingale {
  readonly steps: number;
  /** Natural log of the capital; 0 at the start. */
  readonly logCapital: number;
  /** The greatest value `logCapital` has had. */
  readonly peakLogCapital: number;
  /** Shares of the capital on idle and on each of {@link BETS}; they add to 1. */
  readonly shares: readonly number[];
}

/** What each bet wins on, in words; in the order of `shares`, after the idle share. */
export const BETS = ['much lower', 'lower', 'higher', 'much higher', 'more spread', 'less spread'] as const;

const RETURN_RATE = 0.01;

/** Capital 1, all idle. */
export function createMartingale(): Martingale {
  return { steps: 0, logCapital: 0, peakLogCapital: 0, shares: [1, 0, 0, 0, 0, 0, 0] };
}

/** The betting functions at p; each has mean 1 on [0, 1] and is positive. */
function payoffs(p: number): readonly number[] {
  const u = p - 0.5;
  const spread = u * u - 1 / 12;
  return [1, 1 - 1.8 * u, 1 - u, 1 + u, 1 + 1.8 * u, 1 + 6 * spread, 1 - 4 * spread];
}

/** The martingale after one more p-value in [0, 1]. */
export function updateMartingale(state: Martingale, p: number): Martingale {
  const shares = state.shares;
  const out = shares[0]! / (2 * state.steps + 50);
  const back = RETURN_RATE * (1 - shares[0]!);
  const pay = payoffs(p);
  const next = [(shares[0]! - out + back) * pay[0]!];
  let total = next[0]!;
  for (let i = 1; i < shares.length; i++) {
    const capital = (shares[i]! * (1 - RETURN_RATE) + out / BETS.length) * pay[i]!;
    next.push(capital);
    total += capital;
  }
  for (let i = 0; i < next.length; i++) next[i] = next[i]! / total;
  const logCapital = state.logCapital + log(total);
  return {
    steps: state.steps + 1,
    logCapital,
    peakLogCapital: Math.max(state.peakLogCapital, logCapital),
    shares: next,
  };
}
