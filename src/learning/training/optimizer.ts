import type { AdapterSpec } from '../../contracts/adapters.ts';

/** What the optimizer knows after a step. */
export interface OptimizerState {
  step: number;
  readonly parameters: Float32Array;
  /** Means of the gradients and of their squares. */
  readonly first: Float32Array;
  readonly second: Float32Array;
}

export const newOptimizer = (parameters: Float32Array): OptimizerState => ({
  step: 0,
  parameters,
  first: new Float32Array(parameters.length),
  second: new Float32Array(parameters.length),
});

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/**
 * One step of AdamW (Loshchilov and Hutter 2019) in place, as PyTorch takes it, sums in double precision and in order.
 * @returns the length of the gradient before it was shortened
 */
export function adamWStep(
  state: OptimizerState,
  gradient: Float64Array,
  learningRate: number,
  { weightDecay, clip }: Pick<AdapterSpec, 'weightDecay' | 'clip'>,
): number {
  const { parameters, first, second } = state;
  const step = ++state.step;
  let square = 0;
  for (const value of gradient) square += value * value;
  const length = Math.sqrt(square);
  const factor = clip > 0 ? Math.min(1, clip / (length + 1e-6)) : 1;
  const bias1 = 1 - BETA1 ** step;
  const bias2 = Math.sqrt(1 - BETA2 ** step);
  for (let i = 0; i < parameters.length; i++) {
    const g = gradient[i]! * factor;
    const m = BETA1 * first[i]! + (1 - BETA1) * g;
    const v = BETA2 * second[i]! + (1 - BETA2) * g * g;
    first[i] = m;
    second[i] = v;
    const decayed = parameters[i]! * (1 - learningRate * weightDecay);
    parameters[i] = decayed - (learningRate / bias1) * (m / (Math.sqrt(v) / bias2 + EPSILON));
  }
  return length;
}

/** The learning rate of a step, from 0: a linear rise, then as the schedule says, to 0 at the end. */
export function learningRateAt(
  step: number,
  { steps, warmup, schedule, learningRate }: Pick<AdapterSpec, 'steps' | 'warmup' | 'schedule' | 'learningRate'>,
): number {
  const rise = Math.round(warmup * steps);
  if (step < rise) return (learningRate * (step + 1)) / rise;
  const way = (step - rise) / Math.max(1, steps - rise);
  switch (schedule) {
    case 'constant':
      return learningRate;
    case 'linear':
      return learningRate * (1 - way);
    case 'cosine':
      return (learningRate * (1 + Math.cos(Math.PI * way))) / 2;
  }
}
