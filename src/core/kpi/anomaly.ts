import { mean } from '../stats/math.ts';
import { median } from '../stats/intervals.ts';

/** Whether a window's figure stands out from those before it. */
export interface AnomalyVerdict {
  readonly anomalous: boolean;
  /** Modified z-score; ±Infinity where the history never varied and the value differs. */
  readonly score: number;
  readonly median: number;
  /** Scale of the history in units of a standard deviation; 0 where it never varied. */
  readonly scale: number;
}

/**
 * Robust outlier flag by the modified z-score, (value − median) / (1.4826 · MAD), flagged beyond ±3.5 (Iglewicz, Hoaglin:
 * "How to Detect and Handle Outliers", 1993). Where more than half the history is equal, so that the MAD is 0, the mean
 * absolute deviation (× 1.2533) takes its place. Histories of fewer than `minimum` values flag nothing (score 0).
 */
export function anomalyOf(
  history: readonly number[],
  value: number,
  options: { threshold?: number; minimum?: number } = {},
): AnomalyVerdict {
  const { threshold = 3.5, minimum = 5 } = options;
  const middle = median(history);
  if (history.length < minimum) return { anomalous: false, score: 0, median: middle, scale: NaN };
  const deviations = history.map((one) => Math.abs(one - middle));
  const scale = 1.4826 * median(deviations) || 1.2533 * mean(deviations);
  const distance = value - middle;
  const score = distance === 0 ? 0 : distance / scale;
  return { anomalous: Math.abs(score) > threshold, score, median: middle, scale };
}
