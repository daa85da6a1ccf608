import type { Stream } from '../random/random.ts';
import { randomRule, randomSecond, randomVerdict, useOf } from './building-blocks.ts';
import type { ModelOffer, SearchContext } from './context.ts';
import { isAsk } from './genome.ts';
import type { Genome } from './genome.ts';
import { tidyGenome } from './tidy.ts';

/** Asks `offer` about everything that no rule settles. */
const asking = (context: SearchContext, offer: ModelOffer): Genome => ({
  labels: context.labels,
  rules: [],
  otherwise: { ask: true },
  default: offer.negative,
  model: useOf(offer, offer.start),
});

/**
 * What a search starts from without any chance: incumbent and seeds as they are, each model alone, decision lists before
 * each model and before a fixed label, and the best single stumps.
 */
export function foundingGenomes(context: SearchContext): Genome[] {
  const { labels, models, lists } = context;
  const alone = models.map((offer) => asking(context, offer));
  const listed = lists.flatMap(({ rules, rest }) => [
    ...alone.map((genome) => ({ ...genome, rules })),
    { labels, rules, otherwise: { label: rest }, default: labels[0]! },
  ]);
  const stumps = context.ideas.slice(0, 2).map(({ when, label }) => ({
    labels,
    rules: [{ when, then: { label } }],
    otherwise: { label: labels.find((other) => other !== label)! },
    default: labels[0]!,
  }));
  return [context.incumbent, ...context.seeds, ...alone, ...[...listed, ...stumps].map(tidyGenome)];
}

/** A fresh random genome: up to six rules, then a label or, where models are offered, mostly a question. */
export function randomGenome(context: SearchContext, random: Stream): Genome {
  const rules = Array.from({ length: random.integer(7) }, () => randomRule(context, random)).filter(
    (rule) => rule !== undefined,
  );
  const offer = context.models.length > 0 ? random.pick(context.models) : undefined;
  const otherwise = offer !== undefined && random.chance(0.6) ? { ask: true as const } : randomVerdict(context, random);
  if (offer === undefined || !(isAsk(otherwise) || rules.some((rule) => isAsk(rule.then))))
    return tidyGenome({ labels: context.labels, rules, otherwise, default: random.pick(context.labels) });
  const model = useOf(offer, random.chance(0.5) ? offer.start : random.pick(offer.thresholds));
  const second = random.chance(0.3) ? randomSecond(model, context, random) : undefined;
  return tidyGenome({ ...asking(context, offer), rules, otherwise, model: { ...model, ...(second && { second }) } });
}
