import type { Stream } from '../random/random.ts';
import { roundThreshold } from './cuts.ts';
import type { ModelOffer, SearchContext } from './context.ts';
import { GENOME_LIMITS, isLinear } from './genome.ts';
import type { Condition, LinearCondition, ModelUse, Rule, SecondModel, Verdict } from './genome.ts';

/** How often a new condition is one that the data suggests, rather than a random cut of a random feature. */
const FROM_IDEAS = 0.7;

/** A condition on one feature at one of its cuts; undefined where every feature is constant. */
export function randomStump(context: SearchContext, random: Stream): Condition | undefined {
  const usable = context.features.flatMap((feature, index) => (feature.cuts.length > 0 ? [index] : []));
  if (usable.length === 0) return undefined;
  const feature = random.pick(usable);
  return {
    feature,
    op: random.chance(0.5) ? '<=' : '>',
    threshold: random.pick(context.features[feature]!.cuts),
  };
}

export function randomVerdict(context: SearchContext, random: Stream): Verdict {
  return context.models.length > 0 && random.chance(0.25) ? { ask: true } : { label: random.pick(context.labels) };
}

/** A rule, mostly one that the training data supports, else of one random condition. */
export function randomRule(context: SearchContext, random: Stream): Rule | undefined {
  if (context.ideas.length > 0 && random.chance(FROM_IDEAS)) {
    const idea = random.pick(context.ideas);
    const then: Verdict = context.models.length > 0 && random.chance(0.1) ? { ask: true } : { label: idea.label };
    return { when: idea.when, then };
  }
  const stump = randomStump(context, random);
  return stump && { when: [stump], then: randomVerdict(context, random) };
}

/** The offered model as a genome uses it, at `threshold`. */
export function useOf(offer: ModelOffer, threshold: number): ModelUse {
  const { name, input, score, positive, negative } = offer;
  return { name, input, score, positive, negative, threshold };
}

/** A band around the first model's threshold in which another offer decides; undefined where there is none. */
export function randomSecond(first: ModelUse, context: SearchContext, random: Stream): SecondModel | undefined {
  const others = context.models.filter(
    (offer) => offer.name !== first.name && offer.positive === first.positive && offer.negative === first.negative,
  );
  if (others.length === 0) return undefined;
  const offer = random.pick(others);
  const own = context.models.find((model) => model.name === first.name)?.thresholds ?? [];
  const below = own.filter((threshold) => threshold < first.threshold);
  const above = own.filter((threshold) => threshold > first.threshold);
  const low = below.length > 0 ? random.pick(below) : roundThreshold(first.threshold - 0.1);
  const high = above.length > 0 ? random.pick(above) : roundThreshold(first.threshold + 0.1);
  if (!(low < high)) return undefined;
  return { name: offer.name, input: offer.input, score: offer.score, threshold: offer.start, low, high };
}

/** The value's neighbour up to `reach` places away in an ascending list of candidates; never the value itself. */
export function nudgeWithin(
  value: number,
  candidates: readonly number[],
  reach: number,
  random: Stream,
): number | undefined {
  const steps = 1 + random.integer(reach);
  const up = random.chance(0.5);
  const beyond = up ? candidates.filter((c) => c > value) : candidates.filter((c) => c < value).reverse();
  return beyond.length === 0 ? undefined : beyond[Math.min(steps, beyond.length) - 1];
}

/** A small relative step, absolute around zero. */
export function nudgeFreely(value: number, random: Stream): number {
  const scale = Math.max(Math.abs(value), 0.1) * 0.2;
  const moved = roundThreshold(value + (2 * random.uniform() - 1) * scale);
  return Number.isFinite(moved) ? moved : value;
}

/** A sum with one weight changed, one term dropped, or one feature added. */
export function changeSum(condition: LinearCondition, context: SearchContext, random: Stream): LinearCondition {
  const place = random.integer(condition.sum.length);
  const kind = random.integer(3);
  if (kind === 0 && condition.sum.length > 1)
    return { ...condition, sum: condition.sum.filter((_, index) => index !== place) };
  if (kind === 1 && condition.sum.length < GENOME_LIMITS.terms) {
    const weights = condition.sum.map((term) => term.weight);
    const absent = context.features
      .map((_, feature) => feature)
      .filter((feature) => !condition.sum.some((term) => term.feature === feature));
    if (absent.length > 0)
      return { ...condition, sum: [...condition.sum, { feature: random.pick(absent), weight: random.pick(weights) }] };
  }
  const sum = condition.sum.map((term, index) =>
    index === place ? { ...term, weight: nudgeFreely(term.weight, random) } : term,
  );
  return { ...condition, sum };
}

/** The condition with a nearby threshold. */
export function nudgeCondition(condition: Condition, context: SearchContext, random: Stream): Condition | undefined {
  if (isLinear(condition)) return { ...condition, threshold: nudgeFreely(condition.threshold, random) };
  const threshold = nudgeWithin(condition.threshold, context.features[condition.feature]?.cuts ?? [], 3, random);
  return threshold === undefined ? undefined : { ...condition, threshold };
}
