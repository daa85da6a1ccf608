import { invalidInput } from '../../contracts/errors.ts';
import { wilson } from '../stats/intervals.ts';
import type { Interval } from '../stats/intervals.ts';
import { addToDistribution, createDistribution, distributionQuantile, mergeDistributions } from './distribution.ts';
import type { Distribution } from './distribution.ts';

/** What a window counts of one execution. */
export interface KpiSample {
  readonly ordinal: number;
  /** Did the run fail (trap, out of fuel, output that breaks the schema)? Its score counts as 0 where feedback exists. */
  readonly failed: boolean;
  /** Absent while there is no feedback. `score` lies in [0, 1]. */
  readonly score?: number | undefined;
  readonly correct?: boolean | undefined;
  readonly fuel: number;
  readonly modelCalls: number;
}

/**
 * The aggregate of the executions of an ordinal range. Every figure is an integer, so that merging shards in any order gives
 * the bits of one pass. Plain JSON.
 */
export interface KpiWindow {
  /** Least and greatest ordinal; −1 while empty. */
  readonly from: number;
  readonly to: number;
  readonly executions: number;
  readonly failed: number;
  readonly scored: number;
  readonly correct: number;
  /** Sum of the scores in millionths. */
  readonly scoreMicros: number;
  readonly fuel: Distribution;
  readonly modelCalls: Distribution;
}

/** An empty window. */
export function createWindow(): KpiWindow {
  return {
    from: -1,
    to: -1,
    executions: 0,
    failed: 0,
    scored: 0,
    correct: 0,
    scoreMicros: 0,
    fuel: createDistribution(),
    modelCalls: createDistribution(),
  };
}

/** The window of these samples. Throws CHIMERA_INVALID_INPUT for scores outside [0, 1]. */
export function windowOf(samples: readonly KpiSample[]): KpiWindow {
  const base = createWindow();
  let { from, to, failed, scored, correct, scoreMicros } = base;
  for (const sample of samples) {
    from = from < 0 ? sample.ordinal : Math.min(from, sample.ordinal);
    to = Math.max(to, sample.ordinal);
    if (sample.failed) failed++;
    if (sample.score === undefined) continue;
    if (!(sample.score >= 0 && sample.score <= 1))
      throw invalidInput('the sample', [{ path: '/score', message: `is ${sample.score}, must lie in [0, 1]` }]);
    scored++;
    scoreMicros += Math.round(sample.score * 1e6);
    if (sample.correct === true) correct++;
  }
  const fuel = addToDistribution(
    base.fuel,
    samples.map((sample) => sample.fuel),
  );
  const modelCalls = addToDistribution(
    base.modelCalls,
    samples.map((sample) => sample.modelCalls),
  );
  return { from, to, executions: samples.length, failed, scored, correct, scoreMicros, fuel, modelCalls };
}

/** Both windows together; associative and commutative to the bit. */
export function mergeWindows(a: KpiWindow, b: KpiWindow): KpiWindow {
  return {
    from: a.from < 0 ? b.from : b.from < 0 ? a.from : Math.min(a.from, b.from),
    to: Math.max(a.to, b.to),
    executions: a.executions + b.executions,
    failed: a.failed + b.failed,
    scored: a.scored + b.scored,
    correct: a.correct + b.correct,
    scoreMicros: a.scoreMicros + b.scoreMicros,
    fuel: mergeDistributions(a.fuel, b.fuel),
    modelCalls: mergeDistributions(a.modelCalls, b.modelCalls),
  };
}

/** A window in figures a person reads. NaN where there is nothing to count. */
export interface KpiSummary {
  readonly executions: number;
  readonly scored: number;
  /** Share of right answers among the scored, with Wilson's interval. */
  readonly accuracy: Interval;
  readonly meanScore: number;
  readonly failureRate: Interval;
  readonly fuelMean: number;
  readonly fuelMedian: number;
  readonly fuelP95: number;
  readonly fuelPerThousand: number;
  readonly modelCallsPerThousand: number;
}

/** The summary of a window. */
export function summariseWindow(window: KpiWindow, level = 0.95): KpiSummary {
  const { executions, scored, fuel, modelCalls } = window;
  return {
    executions,
    scored,
    accuracy: wilson(window.correct, scored, level),
    meanScore: window.scoreMicros / scored / 1e6,
    failureRate: wilson(window.failed, executions, level),
    fuelMean: fuel.sum / executions,
    fuelMedian: distributionQuantile(fuel, 0.5),
    fuelP95: distributionQuantile(fuel, 0.95),
    fuelPerThousand: (1000 * fuel.sum) / executions,
    modelCallsPerThousand: (1000 * modelCalls.sum) / executions,
  };
}
