import { log, logSumExp } from '../stats/math.ts';

/**
 * An e-process against H0: "the conditional mean of X is at most m", for X in [−1, 1]: capital Π (1 + λ (X − m)) for each
 * bet λ of a fixed grid in (0, 1/(1 + m)), averaged over the grid (Waudby-Smith, Ramdas: "Estimating means of bounded
 * random variables by betting", JRSS B 2024). With m = 0 and X in {−1, 0, 1} this is the test of P(win | discordant) ≤ ½
 * with a mixture over θ = (1 + λ)/2. By Ville's inequality the capital reaches 1/alpha with probability at most alpha,
 * whenever one looks.
 */
export interface Betting {
  /** The bound m on the mean under H0. */
  readonly bound: number;
  readonly steps: number;
  /** Log capital of each bet of the grid. */
  readonly logs: readonly number[];
  /** Log of the mean capital, and the greatest value it has had. */
  readonly logCapital: number;
  readonly peakLogCapital: number;
}

const GRID = 24;

/** Capital 1 against "mean ≤ bound", for a bound in (−1, 1). */
export function createBetting(bound: number): Betting {
  return { bound, steps: 0, logs: new Array<number>(GRID).fill(0), logCapital: 0, peakLogCapital: 0 };
}

/** The e-process after one more value in [−1, 1]. */
export function updateBetting(state: Betting, x: number): Betting {
  const top = 1 / (1 + state.bound);
  // Bets stop short of all the capital, or one loss would end them for ever.
  const logs = state.logs.map((value, i) => value + log(1 + ((top * (i + 0.5)) / GRID) * (x - state.bound)));
  const logCapital = logSumExp(logs) - log(GRID);
  return {
    bound: state.bound,
    steps: state.steps + 1,
    logs,
    logCapital,
    peakLogCapital: Math.max(state.peakLogCapital, logCapital),
  };
}
