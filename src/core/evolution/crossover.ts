import type { Stream } from '../random/random.ts';
import type { Genome, Rule } from './genome.ts';
import { tidyGenome } from './tidy.ts';

/** The head of one rule list before the tail of another. */
function onePoint(a: readonly Rule[], b: readonly Rule[], random: Stream): Rule[] {
  return [...a.slice(0, random.integer(a.length + 1)), ...b.slice(random.integer(b.length + 1))];
}

/** Place by place from either; where one list is shorter, the other's rule stays or falls. */
function uniform(a: readonly Rule[], b: readonly Rule[], random: Stream): Rule[] {
  const length = Math.max(a.length, b.length);
  return Array.from({ length }, (_, place) => (random.chance(0.5) ? a : b)[place]).filter((rule) => rule !== undefined);
}

export interface Crossed {
  readonly genome: Genome;
  readonly operator: 'one-point crossover' | 'uniform crossover';
}

/**
 * A child of two parents over the same labels: rule lists crossed at one point or place by place, the verdict
 * `otherwise` and the model with its default each from either. Always a valid genome.
 */
export function crossover(a: Genome, b: Genome, random: Stream): Crossed {
  const atOnePoint = random.chance(0.5);
  const rules = (atOnePoint ? onePoint : uniform)(a.rules, b.rules, random);
  const { otherwise } = random.chance(0.5) ? a : b;
  // The other parent's model, where the chosen parent has none, keeps the child's questions answerable.
  const [chosen, other] = random.chance(0.5) ? [a, b] : [b, a];
  const source = chosen.model === undefined ? other : chosen;
  const genome = tidyGenome({
    labels: a.labels,
    rules,
    otherwise,
    default: source.default,
    ...(source.model && { model: source.model }),
  });
  return { genome, operator: atOnePoint ? 'one-point crossover' : 'uniform crossover' };
}
