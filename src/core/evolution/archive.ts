import { hashOf } from '../canonical/canonical.ts';
import type { Sha256 } from '../canonical/canonical.ts';
import type { Evaluation } from './fitness.ts';
import type { Genome } from './genome.ts';
import { crowdingDistances, dominates } from './nsga2.ts';
import type { Individual } from './nsga2.ts';

/** A candidate that was evaluated. */
export interface Elite {
  readonly id: Sha256;
  readonly genome: Genome;
  readonly evaluation: Evaluation;
}

/** The Pareto front of quality against cost, ascending in cost; plain JSON. */
export interface Archive {
  readonly capacity: number;
  readonly elites: readonly Elite[];
}

/** IMPROVE: took the place of a worse elite. NEW: a place of its own. NOT_ADDED: the archive is as it was. */
export type AddStatus = 'NOT_ADDED' | 'IMPROVE' | 'NEW';

export const createArchive = (capacity: number): Archive => ({ capacity, elites: [] });

/** Both objectives minimised: quality turned round, and cost. */
export const objectivesOf = (evaluation: Evaluation): number[] => [-evaluation.quality, evaluation.cost];

const individualOf = ({ id, evaluation }: Elite): Individual => ({
  id,
  objectives: objectivesOf(evaluation),
  violation: 0,
});

/**
 * The archive after `elite` (which must keep its constraints) knocked. Dominated and equal newcomers stay out. Over the
 * capacity the least spread elite goes (smallest crowding distance, then the largest id); the ends of the front stay.
 */
export function addToArchive(archive: Archive, elite: Elite): { archive: Archive; status: AddStatus } {
  const newcomer = individualOf(elite);
  const unchanged = { archive, status: 'NOT_ADDED' as const };
  const known = archive.elites.map(individualOf);
  const equal = (a: Individual): boolean => a.objectives.every((value, k) => value === newcomer.objectives[k]);
  if (known.some((other) => dominates(other, newcomer) || equal(other))) return unchanged;
  const kept = archive.elites.filter((_, index) => !dominates(newcomer, known[index]!));
  const elites = [...kept, elite].sort((a, b) => a.evaluation.cost - b.evaluation.cost || (a.id < b.id ? -1 : 1));
  if (elites.length > archive.capacity) {
    const front = elites.map(individualOf);
    const crowding = crowdingDistances(
      front,
      front.map((_, index) => index),
    );
    const worst = crowding.reduce(
      (least, distance, index) =>
        distance < crowding[least]! || (distance === crowding[least]! && elites[index]!.id > elites[least]!.id)
          ? index
          : least,
      0,
    );
    if (elites[worst]!.id === elite.id) return unchanged;
    elites.splice(worst, 1);
  }
  const status = kept.length < archive.elites.length ? 'IMPROVE' : 'NEW';
  return { archive: { ...archive, elites }, status };
}

/** The content of an archive: what two runs of one experiment must agree in. */
export function archiveHash(archive: Archive): Sha256 {
  return hashOf(archive);
}
