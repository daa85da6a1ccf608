import { log, log1p, exp } from '../../stats/math.ts';
import { stream } from '../../random/random.ts';
import type { SparseRows } from './matrix.ts';

/** One two-class problem: which rows are positive, and what an error on each costs. */
export interface LogisticProblem {
  readonly rows: SparseRows;
  /** +1 or −1 for each row. */
  readonly signs: Int8Array;
  /** Weight of each row's loss. */
  readonly costs: Float64Array;
}

/** All that the solver carries from one pass to the next. The last weight is the bias. */
export interface DualState {
  readonly weights: Float64Array;
  /** The dual variables, two for each row: α and C − α, both kept because the difference would cancel. */
  readonly alphas: Float64Array;
}

export interface PassReport {
  /** Mean logistic loss of each row as it was met. */
  readonly loss: number;
  /** The largest dual gradient met. */
  readonly gradient: number;
}

const MAX_NEWTON = 100;

/** A start near α = 0, where the dual is defined. */
export function initialState(problem: LogisticProblem, columns: number): DualState {
  const { rows, signs, costs } = problem;
  const state = { weights: new Float64Array(columns + 1), alphas: new Float64Array(2 * signs.length) };
  for (let row = 0; row < signs.length; row++) {
    const alpha = Math.min(0.001 * costs[row]!, 1e-8);
    state.alphas[2 * row] = alpha;
    state.alphas[2 * row + 1] = costs[row]! - alpha;
    addRow(state.weights, rows, row, signs[row]! * alpha);
  }
  return state;
}

/** w · x of one row, with the bias. */
export function margin(weights: Float64Array, rows: SparseRows, row: number): number {
  let sum = weights[weights.length - 1]!;
  const end = rows.starts[row + 1]!;
  for (let i = rows.starts[row]!; i < end; i++) sum += rows.values[i]! * weights[rows.columns[i]!]!;
  return sum;
}

function addRow(weights: Float64Array, rows: SparseRows, row: number, factor: number): void {
  const end = rows.starts[row + 1]!;
  for (let i = rows.starts[row]!; i < end; i++) weights[rows.columns[i]!]! += rows.values[i]! * factor;
  weights[weights.length - 1]! += factor;
}

function squaredNorm(rows: SparseRows, row: number): number {
  let sum = 1;
  const end = rows.starts[row + 1]!;
  for (let i = rows.starts[row]!; i < end; i++) sum += rows.values[i]! * rows.values[i]!;
  return sum;
}

/**
 * One pass of dual coordinate descent for L2-regularised logistic regression, min ½‖w‖² + Σ cᵢ log(1+exp(−yᵢ w·xᵢ))
 * (Yu, Huang and Lin, "Dual coordinate descent methods for logistic regression and maximum entropy models", Machine
 * Learning 85, 2011, algorithm 5, with the inner Newton steps of LIBLINEAR). The rows come in an order drawn for
 * (seed, pass), so that a pass is a function of the state before it and of its number alone. Changes `state` in place.
 */
export function dualPass(
  problem: LogisticProblem,
  state: DualState,
  seed: string,
  pass: number,
  tolerance: number,
): PassReport {
  const { rows, signs, costs } = problem;
  const { weights, alphas } = state;
  const order = stream(seed, pass, 0, 'dual-coordinate order').shuffle([...signs.keys()]);
  const precision = Math.min(1e-2, tolerance);
  let gradient = 0;
  let loss = 0;
  for (const row of order) {
    const cost = costs[row]!;
    const sign = signs[row]!;
    const curvature = squaredNorm(rows, row);
    const gain = sign * margin(weights, rows, row);
    loss += gain > 0 ? log1p(exp(-gain)) : log1p(exp(gain)) - gain;
    // Work on whichever of α and C − α is the smaller at the optimum: its logarithm is the well-conditioned one.
    const flipped = 0.5 * curvature * (alphas[2 * row + 1]! - alphas[2 * row]!) + gain < 0;
    const near = 2 * row + (flipped ? 1 : 0);
    const far = 2 * row + (flipped ? 0 : 1);
    const direction = flipped ? -1 : 1;
    const before = alphas[near]!;
    let z = cost - before < 0.5 * cost ? 0.1 * before : before;
    const slope = (at: number): number => curvature * (at - before) + direction * gain + log(at / (cost - at));
    let g = slope(z);
    gradient = Math.max(gradient, Math.abs(g));
    let steps = 0;
    for (; steps < MAX_NEWTON && Math.abs(g) >= precision; steps++) {
      const next = z - g / (curvature + cost / (cost - z) / z);
      z = next <= 0 ? z * 0.1 : next;
      g = slope(z);
    }
    if (steps === 0 && z === before) continue;
    alphas[near] = z;
    alphas[far] = cost - z;
    addRow(weights, rows, row, direction * (z - before) * sign);
  }
  return { loss: signs.length === 0 ? 0 : loss / signs.length, gradient };
}
