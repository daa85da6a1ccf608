import { stream } from '../random/random.ts';
import type { Stream } from '../random/random.ts';
import type { Sha256 } from '../canonical/canonical.ts';
import { objectivesOf } from './archive.ts';
import type { Elite } from './archive.ts';
import type { SearchContext } from './context.ts';
import { crossover } from './crossover.ts';
import type { Evaluation } from './fitness.ts';
import { genomeHash } from './genome.ts';
import type { Genome } from './genome.ts';
import { mutate } from './mutation.ts';
import { standings, tournament } from './nsga2.ts';
import type { Individual } from './nsga2.ts';
import { foundingGenomes, randomGenome } from './population.ts';
import type { SearchSettings } from './settings.ts';

/** A genome to be evaluated, and how it came to be. */
export interface Candidate {
  /** Hash of the genome. */
  readonly id: Sha256;
  readonly genome: Genome;
  /** Ids of the genomes it was made from; none for founders and random ones. */
  readonly parents: readonly Sha256[];
  readonly operator: string;
  readonly generation: number;
  /** Place in its generation. */
  readonly index: number;
}

type Origin = Omit<Candidate, 'id' | 'generation' | 'index'>;

/** What the search knew of a genome: enough digits of its hash to tell those of one experiment apart. */
export const seenKey = (id: Sha256): string => id.slice(0, 16);

const ATTEMPTS = 16;

/** How far an evaluation breaks the settings' bounds on unscorable tasks and errors; 0 within them. */
export function violationOf(evaluation: Evaluation, settings: SearchSettings): number {
  const { tasks, unscorable, errors } = evaluation;
  if (tasks === unscorable) return 1;
  const over = (share: number, bound: number): number => Math.max(0, share - bound);
  return (
    over(unscorable / tasks, settings.maximumUnscorable) + over(errors / (tasks - unscorable), settings.maximumErrors)
  );
}

/** An evaluated genome as NSGA-II sees it. */
export const individualOf = ({ id, evaluation }: Elite, settings: SearchSettings): Individual => ({
  id,
  objectives: objectivesOf(evaluation),
  violation: violationOf(evaluation, settings),
});

const fresh = (context: SearchContext, random: Stream): Origin => ({
  genome: randomGenome(context, random),
  parents: [],
  operator: 'random',
});

/** Up to three mutations, one after the other; the first may use what the parent's rules were seen to do. */
function mutated(origin: Origin, coverage: readonly number[] | undefined, context: SearchContext, random: Stream) {
  let { genome } = origin;
  const operators = origin.operator === '' ? [] : [origin.operator];
  const count = 1 + (random.chance(0.3) ? 1 : 0) + (random.chance(0.1) ? 1 : 0);
  for (let i = 0; i < count; i++) {
    const mutant = mutate(genome, context, random, i === 0 ? coverage : undefined);
    if (mutant === undefined) break;
    genome = mutant.genome;
    operators.push(mutant.operator);
  }
  return { ...origin, genome, operator: operators.join(' + ') };
}

/** The first generation: founders, then random genomes, all different. */
export function foundingGeneration(settings: SearchSettings, context: SearchContext): Candidate[] {
  const founders = foundingGenomes(context).map((genome, index) => ({
    genome,
    parents: [],
    operator: index === 0 ? 'incumbent' : 'founder',
  }));
  return fill(settings, 0, [], (index, random) => founders[index] ?? fresh(context, random));
}

/** The next generation: children of tournament winners, and a few random genomes against getting stuck. */
export function offspring(
  settings: SearchSettings,
  context: SearchContext,
  generation: number,
  population: readonly Elite[],
  seen: readonly string[],
): Candidate[] {
  const individuals = population.map((member) => individualOf(member, settings));
  const standing = standings(individuals);
  const select = (random: Stream): Elite => population[tournament(individuals, standing, random)]!;
  return fill(settings, generation, seen, (_, random) => {
    if (population.length === 0 || random.chance(settings.immigrants)) return fresh(context, random);
    const mother = select(random);
    const father = random.chance(settings.crossover) ? select(random) : mother;
    if (father.id === mother.id) {
      const { coverage } = mother.evaluation;
      return mutated({ genome: mother.genome, parents: [mother.id], operator: '' }, coverage, context, random);
    }
    const child = crossover(mother.genome, father.genome, random);
    const origin = { ...child, parents: [mother.id, father.id] };
    return random.chance(0.5) ? mutated(origin, undefined, context, random) : origin;
  });
}

/** One new genome a place; a place for which no new one is found in some attempts stays empty. */
function fill(
  settings: SearchSettings,
  generation: number,
  seen: readonly string[],
  make: (index: number, random: Stream) => Origin,
): Candidate[] {
  const known = new Set(seen);
  const candidates: Candidate[] = [];
  for (let index = 0; index < settings.population; index++) {
    const random = stream(settings.seed, generation, index, 'breeding');
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // A founder that is known already gives its place to what would come after all founders.
      const origin = make(index + attempt * settings.population, random);
      const id = genomeHash(origin.genome);
      if (known.has(seenKey(id))) continue;
      known.add(seenKey(id));
      candidates.push({ id, ...origin, generation, index });
      break;
    }
  }
  return candidates;
}
