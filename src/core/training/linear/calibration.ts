import { exp, log, log1p, logistic } from '../../stats/math.ts';

/** p = logistic(slope · margin + offset). */
export interface Calibration {
  readonly slope: number;
  readonly offset: number;
}

export const UNCALIBRATED: Calibration = { slope: 1, offset: 0 };

/**
 * Platt scaling of margins to probabilities on examples that no weight saw: Newton's method with backtracking and
 * Platt's smoothed targets (Lin, Lin and Weng, "A note on Platt's probabilistic outputs for support vector machines",
 * Machine Learning 68, 2007). With fewer than two examples of either class there is nothing to fit: the margins of a
 * logistic model are log-odds already. `balanced` weighs both classes alike: the probabilities then are
 * those of a stream in which both are equally common, whatever the mixture of the examples is.
 */
export function fitCalibration(margins: Float64Array, positive: readonly boolean[], balanced = false): Calibration {
  const positives = positive.filter(Boolean).length;
  const negatives = positive.length - positives;
  if (positives < 2 || negatives < 2) return UNCALIBRATED;
  const high = (positives + 1) / (positives + 2);
  const low = 1 / (negatives + 2);
  const targets = Float64Array.from(positive, (is) => (is ? high : low));
  const half = positive.length / 2;
  const weights = Float64Array.from(positive, (is) => (balanced ? half / (is ? positives : negatives) : 1));
  const objective = (slope: number, offset: number): number => {
    let sum = 0;
    for (let i = 0; i < margins.length; i++) {
      const f = slope * margins[i]! + offset;
      sum += weights[i]! * ((f > 0 ? f + log1p(exp(-f)) : log1p(exp(f))) - targets[i]! * f);
    }
    return sum;
  };
  let slope = 0;
  let offset = balanced ? 0 : log((positives + 1) / (negatives + 1));
  let value = objective(slope, offset);
  for (let iteration = 0; iteration < 100; iteration++) {
    let [h11, h22, h21, g1, g2] = [1e-12, 1e-12, 0, 0, 0];
    for (let i = 0; i < margins.length; i++) {
      const m = margins[i]!;
      const p = logistic(slope * m + offset);
      const curvature = weights[i]! * p * (1 - p);
      const error = weights[i]! * (p - targets[i]!);
      h11 += m * m * curvature;
      h22 += curvature;
      h21 += m * curvature;
      g1 += m * error;
      g2 += error;
    }
    if (Math.abs(g1) < 1e-5 && Math.abs(g2) < 1e-5) break;
    const determinant = h11 * h22 - h21 * h21;
    const stepSlope = -(h22 * g1 - h21 * g2) / determinant;
    const stepOffset = -(h11 * g2 - h21 * g1) / determinant;
    const descent = g1 * stepSlope + g2 * stepOffset;
    let size = 1;
    for (; size >= 1e-10; size /= 2) {
      const next = objective(slope + size * stepSlope, offset + size * stepOffset);
      if (next >= value + 1e-4 * size * descent) continue;
      slope += size * stepSlope;
      offset += size * stepOffset;
      value = next;
      break;
    }
    if (size < 1e-10) break;
  }
  return { slope, offset };
}
