import { exp } from '../../core/stats/math.ts';

export interface Sampling {
  /** 0: always the likeliest. */
  readonly temperature: number;
  /** Of the likeliest tokens that together have at least this probability. */
  readonly topP: number;
}

/**
 * The token that is drawn from logits: softmax at a temperature, cut to its nucleus (Holtzman et al. 2020). Of equal logits the
 * earlier token comes first. `uniform` gives a draw on [0, 1).
 */
export function pick(logits: Float32Array, { temperature, topP }: Sampling, uniform: () => number): number {
  const best = likeliest(logits);
  if (temperature === 0 || topP === 0) return best;
  const weights = new Float64Array(logits.length);
  let total = 0;
  for (let i = 0; i < logits.length; i++) {
    weights[i] = exp((logits[i]! - logits[best]!) / temperature);
    total += weights[i]!;
  }
  const draw = uniform();
  if (topP >= 1) return walk(weights, draw * total) ?? best;
  const tokens = nucleus(weights, total, topP);
  const sum = tokens.reduce((mass, token) => mass + weights[token]!, 0);
  const kept = Float64Array.from(tokens, (token) => weights[token]!);
  return tokens[walk(kept, draw * sum) ?? 0]!;
}

/** The fewest likeliest tokens that have `topP` of the whole, the likeliest first. */
function nucleus(weights: Float64Array, total: number, topP: number): number[] {
  // Tokens below this have less than 1 − topP together, so that none of them is needed; what is left is cheap to sort.
  const least = (total * (1 - topP)) / weights.length;
  const candidates: number[] = [];
  for (let i = 0; i < weights.length; i++) if (weights[i]! >= least) candidates.push(i);
  candidates.sort((a, b) => weights[b]! - weights[a]! || a - b);
  let mass = 0;
  const count = candidates.findIndex((token) => (mass += weights[token]!) >= topP * total);
  return count < 0 ? candidates : candidates.slice(0, count + 1);
}

/** Where a walk along the weights has gone `distance`; undefined where rounding left it behind their end. */
function walk(weights: Float64Array, distance: number): number | undefined {
  let left = distance;
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return undefined;
}

function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/** Softmax in double precision. */
export function probabilities(logits: Float64Array): Float64Array {
  const most = Math.max(...logits);
  const weights = logits.map((logit) => exp(logit - most));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
