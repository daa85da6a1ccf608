import { invalidInput, type Problem } from '../../contracts/errors.ts';
import { scalingOf, type Adapter, type AdapterTarget, type ClassifierHead } from './types.ts';

/**
 * The weighted sum of adapters as one adapter: ranks are stacked, so that its update is Σ weightᵢ · scalingᵢ · Bᵢ Aᵢ, but for the
 * rounding of weightᵢ · scalingᵢ · Bᵢ to single precision. Its rank is the sum of theirs and its scaling is 1. Heads are summed
 * with the same weights. It keeps task and length of texts of the first.
 * Throws `CHIMERA_INVALID_INPUT` that names everything in which the adapters differ.
 */
export function linearMerge(adapters: readonly Adapter[], weights: readonly number[]): Adapter {
  checkMergeable(adapters, weights);
  const { base, task, targets, maxTokens } = adapters[0]!;
  const rank = adapters.reduce((sum, adapter) => sum + adapter.rank, 0);
  return {
    ...{ base, task, rank, alpha: rank, rankStabilised: false },
    ...(maxTokens === undefined ? {} : { maxTokens }),
    targets: targets.map((_, index) => stackRanks(adapters, weights, index, rank)),
    ...mergedHead(adapters, weights),
  };
}

function stackRanks(
  adapters: readonly Adapter[],
  weights: readonly number[],
  index: number,
  rank: number,
): AdapterTarget {
  const { module, inputs, outputs } = adapters[0]!.targets[index]!;
  const a = new Float32Array(rank * inputs);
  const b = new Float32Array(outputs * rank);
  let first = 0;
  adapters.forEach((adapter, i) => {
    const target = adapter.targets[index]!;
    const factor = weights[i]! * scalingOf(adapter);
    a.set(target.a, first * inputs);
    for (let output = 0; output < outputs; output++) {
      for (let r = 0; r < adapter.rank; r++) {
        b[output * rank + first + r] = factor * target.b[output * adapter.rank + r]!;
      }
    }
    first += adapter.rank;
  });
  return { module, inputs, outputs, a, b };
}

/** The weighted sum of the heads of adapters that {@link checkMergeable} let pass; nothing where they have none. */
export function mergedHead(
  adapters: readonly Adapter[],
  weights: readonly number[],
): { readonly head?: ClassifierHead } {
  const heads = adapters.flatMap(({ head }) => head ?? []);
  const [first] = heads;
  if (first === undefined) return {};
  const sum = (part: 'weight' | 'bias'): Float32Array =>
    first[part].map((_, at) => heads.reduce((total, head, i) => total + weights[i]! * head[part][at]!, 0));
  return { head: { labels: first.labels, weight: sum('weight'), bias: sum('bias') } };
}

/** @throws `CHIMERA_INVALID_INPUT` that names everything that keeps the adapters from being merged with these weights */
export function checkMergeable(adapters: readonly Adapter[], weights: readonly number[]): void {
  const [first, ...others] = adapters;
  const problems: Problem[] = [];
  if (weights.length !== adapters.length) {
    problems.push({ path: '/weights', message: `${weights.length} weights for ${adapters.length} adapters` });
  }
  weights.forEach((weight, i) => {
    if (!Number.isFinite(weight)) problems.push({ path: `/weights/${i}`, message: `${weight} is not a finite number` });
  });
  if (weights.length > 0 && weights.every((weight) => weight === 0))
    problems.push({ path: '/weights', message: 'all are 0: nothing would be left of the adapters' });
  if (first === undefined) problems.push({ path: '/adapters', message: 'there is nothing to merge' });
  else others.forEach((other, i) => problems.push(...differences(`/adapters/${i + 1}`, first, other)));
  if (problems.length > 0) throw invalidInput('the merge', problems);
}

function differences(path: string, first: Adapter, other: Adapter): Problem[] {
  const problems: Problem[] = [];
  const { base } = other;
  if (base.name !== first.base.name || base.sha256 !== first.base.sha256) {
    problems.push({ path: `${path}/base`, message: `${name(base)} is not the first one's ${name(first.base)}` });
  }
  const known = new Map(first.targets.map((target) => [target.module, target]));
  for (const { module, inputs, outputs } of other.targets) {
    const target = known.get(module);
    known.delete(module);
    const at = `${path}/targets/${module}`;
    if (target === undefined) problems.push({ path: at, message: 'the first adapter does not update this layer' });
    else if (target.inputs !== inputs || target.outputs !== outputs) {
      const shape = `[${target.outputs}, ${target.inputs}]`;
      problems.push({ path: at, message: `[${outputs}, ${inputs}] is not the first one's ${shape}` });
    }
  }
  for (const module of known.keys()) {
    problems.push({
      path: `${path}/targets/${module}`,
      message: 'the first adapter updates this layer, this one does not',
    });
  }
  if (labels(other) !== labels(first)) {
    problems.push({
      path: `${path}/head`,
      message: `its labels ${labels(other)} are not the first one's ${labels(first)}`,
    });
  } else if (other.head?.weight.length !== first.head?.weight.length) {
    problems.push({ path: `${path}/head`, message: "it reads another number of values than the first one's" });
  }
  return problems;
}

const name = ({ name, sha256 }: Adapter['base']): string => `${name}@${sha256.slice(0, 12)}`;
const labels = ({ head }: Adapter): string => JSON.stringify(head?.labels ?? []);
