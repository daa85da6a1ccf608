import { adapterSpec } from '../../contracts/adapters.ts';
import { invalidInput, type Problem } from '../../contracts/errors.ts';
import { checkMergeable, mergedHead } from './linear-merge.ts';
import { lowRankFactors } from './low-rank.ts';
import type { Adapter, AdapterTarget } from './types.ts';
import { denseUpdate } from './updates.ts';

/** What training allows. */
const MAX_RANK = adapterSpec.shape.rank.unwrap().maxValue!;

export interface TiesOptions {
  /** The share of an update's values that is kept, those of the largest magnitude; in (0, 1]. */
  readonly density: number;
  /** Rank of the adapter that comes out. */
  readonly rank: number;
}

export interface TiesMerge {
  readonly adapter: Adapter;
  /** What the rank does not hold: ‖merged − B A‖ / ‖merged‖ over all updates together (Frobenius). */
  readonly error: number;
}

/**
 * Merges adapters by TIES (Yadav et al. 2023) on their updates scaling · B A, layer by layer: {@link ties}; then brings each merged
 * update back to `rank`. Heads are summed with the weights. The result keeps task and length of texts of the first. Weights are shares,
 * as those of {@link linearMerge}: equal ones that are 1 together give the paper's mean, and an adapter merged with itself is itself.
 * Throws `CHIMERA_INVALID_INPUT` that names everything in which the adapters differ.
 * @param onLayer hears how many layers are done, and of how many: before the first, and after each
 */
export function tiesMerge(
  adapters: readonly Adapter[],
  weights: readonly number[],
  { density, rank }: TiesOptions,
  onLayer?: (done: number, layers: number) => void,
): TiesMerge {
  checkOptions({ density, rank }, adapters[0]?.targets ?? []);
  checkMergeable(adapters, weights);
  const { base, task, targets, maxTokens } = adapters[0]!;
  const scale = { rank, alpha: rank, rankStabilised: false };
  // The mean divides by those that agree, of whom there may be as many as there are adapters.
  const factors = weights.map((weight) => weight * adapters.length);
  let missed = 0;
  let whole = 0;
  onLayer?.(0, targets.length);
  const merged = targets.map((target, index) => {
    const updates = adapters.map((adapter) => denseUpdate(adapter, adapter.targets[index]!));
    const dense = ties(updates, factors, density);
    const low = toRank(dense, target, rank);
    const held = denseUpdate(scale, low);
    for (let i = 0; i < dense.length; i++) {
      const difference = dense[i]! - held[i]!;
      missed += difference * difference;
      whole += dense[i]! * dense[i]!;
    }
    onLayer?.(index + 1, targets.length);
    return low;
  });
  return {
    adapter: {
      ...{ base, task, ...scale, targets: merged, ...mergedHead(adapters, weights) },
      ...(maxTokens === undefined ? {} : { maxTokens }),
    },
    error: whole === 0 ? 0 : Math.sqrt(missed / whole),
  };
}

function toRank(dense: Float64Array, { module, inputs, outputs }: AdapterTarget, rank: number): AdapterTarget {
  const { left, right } = lowRankFactors(dense, outputs, inputs, rank);
  return { module, inputs, outputs, a: Float32Array.from(right), b: Float32Array.from(left) };
}

/**
 * Trim, elect sign, disjoint mean (Yadav et al. 2023) of one layer's updates. The sign of a value is that of its sum over the
 * trimmed updates; the mean is over those that agree with it, each times its weight. As PEFT does it, trimming is per layer, and
 * weights have no say in the election.
 */
export function ties(updates: readonly Float64Array[], weights: readonly number[], density: number): Float64Array {
  const trimmed = updates.map((update) => trim(update, density));
  const result = new Float64Array(updates[0]!.length);
  for (let at = 0; at < result.length; at++) {
    let total = 0;
    for (const update of trimmed) total += update[at]!;
    const elected = total >= 0 ? 1 : -1;
    let sum = 0;
    let count = 0;
    for (let i = 0; i < trimmed.length; i++) {
      const value = trimmed[i]![at]!;
      if (value * elected <= 0) continue;
      sum += weights[i]! * value;
      count++;
    }
    if (count > 0) result[at] = sum / count;
  }
  return result;
}

/** Keeps the share of values with the largest magnitude, the earlier of equal ones. */
function trim(update: Float64Array, density: number): Float64Array {
  const count = Math.floor(density * update.length);
  if (count === update.length) return update;
  const least = update.map(Math.abs).sort()[update.length - count];
  if (least === undefined) return new Float64Array(update.length);
  let spare = count;
  for (const value of update) if (Math.abs(value) > least) spare--;
  return update.map((value) => {
    const magnitude = Math.abs(value);
    return magnitude > least || (magnitude === least && spare-- > 0) ? value : 0;
  });
}

function checkOptions({ density, rank }: TiesOptions, targets: readonly AdapterTarget[]): void {
  // No matrix has a larger rank than its shorter side.
  const largest = Math.max(0, ...targets.map(({ inputs, outputs }) => Math.min(inputs, outputs)));
  const problems: Problem[] = [];
  if (!(density > 0 && density <= 1)) problems.push({ path: '/density', message: `${density} is not in (0, 1]` });
  if (!(Number.isInteger(rank) && rank >= 1))
    problems.push({ path: '/rank', message: `${rank} is not a positive integer` });
  else if (rank > MAX_RANK)
    problems.push({ path: '/rank', message: `${rank} is more than an adapter may have: ${MAX_RANK}` });
  else if (rank > largest && largest > 0)
    problems.push({ path: '/rank', message: `${rank} is more than the size of the layers: ${largest}` });
  if (problems.length > 0) throw invalidInput('the merge', problems);
}
