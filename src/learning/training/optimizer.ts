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
  const step = ++state.step;
  let square = 0;
  for (const [from, to] of spans(gradient.length)) square = addSquares(square, gradient, from, to);
  const length = Math.sqrt(square);
  const rates: Rates = {
    factor: clip > 0 ? Math.min(1, clip / (length + 1e-6)) : 1,
    decay: 1 - learningRate * weightDecay,
    rate: learningRate / (1 - BETA1 ** step),
    bias: Math.sqrt(1 - BETA2 ** step),
  };
  for (const [from, to] of spans(gradient.length)) descend(state, gradient, rates, from, to);
  return length;
}

/** Divides the sums of a step's gradients by what they are sums over. */
export function divide(gradient: Float64Array, weight: number): void {
  for (const [from, to] of spans(gradient.length)) divideSpan(gradient, weight, from, to);
}

/** Adds the gradient of a micro-batch to those before it. */
export function addGradient(total: Float64Array, part: Float32Array): void {
  for (const [from, to] of spans(total.length)) addSpan(total, part, from, to);
}

/*
 * Loops over parameters are functions of a span that are called often: V8 compiles those as a whole. One long loop in a function that is
 * called once a step it enters compiled and leaves interpreted each time.
 */
const SPAN = 4096;

function* spans(length: number): Generator<[from: number, to: number]> {
  for (let from = 0; from < length; from += SPAN) yield [from, Math.min(from + SPAN, length)];
}

interface Rates {
  /** What a gradient that is too long is shortened by. */
  readonly factor: number;
  readonly decay: number;
  readonly rate: number;
  readonly bias: number;
}

function descend(state: OptimizerState, gradient: Float64Array, rates: Rates, from: number, to: number): void {
  const { parameters, first, second } = state;
  const { factor, decay, rate, bias } = rates;
  for (let i = from; i < to; i++) {
    const g = gradient[i]! * factor;
    const m = BETA1 * first[i]! + (1 - BETA1) * g;
    const v = BETA2 * second[i]! + (1 - BETA2) * g * g;
    first[i] = m;
    second[i] = v;
    parameters[i] = parameters[i]! * decay - rate * (m / (Math.sqrt(v) / bias + EPSILON));
  }
}

function addSquares(sum: number, values: Float64Array, from: number, to: number): number {
  for (let i = from; i < to; i++) sum += values[i]! * values[i]!;
  return sum;
}

function divideSpan(values: Float64Array, by: number, from: number, to: number): void {
  for (let i = from; i < to; i++) values[i]! /= by;
}

function addSpan(total: Float64Array, part: Float32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) total[i]! += part[i]!;
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
