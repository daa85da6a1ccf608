import type { Stream } from '../random/random.ts';

/**
 * NSGA-II (Deb, Pratap, Agarwal, Meyarivan: "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE
 * Transactions on Evolutionary Computation 6(2), 2002), with the paper's constrained domination. Every objective is
 * minimised. Ties are broken by id, so that a result does not depend on the order of its input.
 */
export interface Individual {
  readonly id: string;
  readonly objectives: readonly number[];
  /** How far the constraints are violated; 0 is feasible. */
  readonly violation: number;
}

/** Does `a` constrained-dominate `b`? */
export function dominates(a: Individual, b: Individual): boolean {
  if (a.violation !== b.violation) return a.violation < b.violation;
  if (a.violation > 0) return false;
  let better = false;
  for (let k = 0; k < a.objectives.length; k++) {
    if (a.objectives[k]! > b.objectives[k]!) return false;
    if (a.objectives[k]! < b.objectives[k]!) better = true;
  }
  return better;
}

const byId = (a: Individual, b: Individual): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** Fast non-dominated sort: fronts of indices, best first, each in order of id. O(M·N²). */
export function nonDominatedSort(population: readonly Individual[]): number[][] {
  const dominated: number[][] = population.map(() => []);
  const dominators = new Array<number>(population.length).fill(0);
  for (let i = 0; i < population.length; i++)
    for (let j = i + 1; j < population.length; j++) {
      if (dominates(population[i]!, population[j]!)) {
        dominated[i]!.push(j);
        dominators[j]!++;
      } else if (dominates(population[j]!, population[i]!)) {
        dominated[j]!.push(i);
        dominators[i]!++;
      }
    }
  const fronts: number[][] = [];
  let front = population.flatMap((_, i) => (dominators[i] === 0 ? [i] : []));
  while (front.length > 0) {
    fronts.push(front.sort((a, b) => byId(population[a]!, population[b]!)));
    const next: number[] = [];
    for (const i of front) for (const j of dominated[i]!) if (--dominators[j]! === 0) next.push(j);
    front = next;
  }
  return fronts;
}

/** Crowding distance of each member of one front, in the order of `front`; Infinity at the ends of an objective. */
export function crowdingDistances(population: readonly Individual[], front: readonly number[]): number[] {
  const distances = new Array<number>(front.length).fill(0);
  const objectives = front.length === 0 ? 0 : population[front[0]!]!.objectives.length;
  for (let k = 0; k < objectives; k++) {
    const value = (place: number): number => population[front[place]!]!.objectives[k]!;
    const order = front
      .map((_, place) => place)
      .sort((a, b) => value(a) - value(b) || byId(population[front[a]!]!, population[front[b]!]!));
    const [first, last] = [order[0]!, order.at(-1)!];
    distances[first] = Infinity;
    distances[last] = Infinity;
    const range = value(last) - value(first);
    if (range === 0) continue;
    for (let p = 1; p < order.length - 1; p++)
      distances[order[p]!]! += (value(order[p + 1]!) - value(order[p - 1]!)) / range;
  }
  return distances;
}

/** Where an individual stands: its front (0 is best) and its crowding distance there. */
export interface Standing {
  readonly front: number;
  readonly crowding: number;
}

/** The standing of each individual, in input order. */
export function standings(population: readonly Individual[]): Standing[] {
  const result = new Array<Standing>(population.length);
  nonDominatedSort(population).forEach((front, rank) => {
    const crowding = crowdingDistances(population, front);
    front.forEach((index, place) => (result[index] = { front: rank, crowding: crowding[place]! }));
  });
  return result;
}

/** Order of preference over indices: front, then crowding (wider first), then id. */
function preference(population: readonly Individual[], standing: readonly Standing[]) {
  return (a: number, b: number): number => {
    const [left, right] = [standing[a]!, standing[b]!];
    if (left.front !== right.front) return left.front - right.front;
    if (left.crowding !== right.crowding) return left.crowding > right.crowding ? -1 : 1;
    return byId(population[a]!, population[b]!);
  };
}

/** The `count` best of a population, as indices in order of preference: whole fronts, the last by crowding. */
export function environmentalSelection(population: readonly Individual[], count: number): number[] {
  const prefer = preference(population, standings(population));
  return population
    .map((_, index) => index)
    .sort(prefer)
    .slice(0, count);
}

/** A binary tournament: the better of two draws with replacement. `population` must not be empty. */
export function tournament(
  population: readonly Individual[],
  standing: readonly Standing[],
  random: Pick<Stream, 'integer'>,
): number {
  const [a, b] = [random.integer(population.length), random.integer(population.length)];
  return preference(population, standing)(a, b) <= 0 ? a : b;
}
