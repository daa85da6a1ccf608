import { canonicalJson } from '../canonical/canonical.ts';
import type { Stream } from '../random/random.ts';
import {
  changeSum,
  nudgeCondition,
  nudgeFreely,
  nudgeWithin,
  randomRule,
  randomSecond,
  randomStump,
  randomVerdict,
  useOf,
} from './building-blocks.ts';
import type { SearchContext } from './context.ts';
import { GENOME_LIMITS, isAsk, isLinear } from './genome.ts';
import type { Condition, Genome, ModelUse, Rule } from './genome.ts';
import { dropUnused, tidyGenome } from './tidy.ts';

/** Changes one thing; undefined where there is nothing of the kind to change. */
type Operator = (genome: Genome, context: SearchContext, random: Stream) => Genome | undefined;

const replaceAt = <T>(items: readonly T[], place: number, item: T): T[] =>
  items.map((old, index) => (index === place ? item : old));

const insertAt = <T>(items: readonly T[], place: number, item: T): T[] => [
  ...items.slice(0, place),
  item,
  ...items.slice(place),
];

/** An operator on one random rule. */
const onRule =
  (change: (rule: Rule, context: SearchContext, random: Stream) => Rule | undefined): Operator =>
  (genome, context, random) => {
    if (genome.rules.length === 0) return undefined;
    const place = random.integer(genome.rules.length);
    const rule = change(genome.rules[place]!, context, random);
    return rule && { ...genome, rules: replaceAt(genome.rules, place, rule) };
  };

/** An operator on one random condition. */
const onCondition = (
  change: (condition: Condition, context: SearchContext, random: Stream) => Condition | undefined,
): Operator =>
  onRule((rule, context, random) => {
    const place = random.integer(rule.when.length);
    const condition = change(rule.when[place]!, context, random);
    return condition && { ...rule, when: replaceAt(rule.when, place, condition) };
  });

const onModel =
  (change: (model: ModelUse, context: SearchContext, random: Stream) => ModelUse | undefined): Operator =>
  (genome, context, random) => {
    const model = genome.model && change(genome.model, context, random);
    return model && { ...genome, model };
  };

/** Asking needs a model: a genome without one gets an offered one. */
function withModel(genome: Genome, context: SearchContext, random: Stream): Genome {
  if (genome.model !== undefined || context.models.length === 0) return genome;
  const offer = random.pick(context.models);
  return { ...genome, model: useOf(offer, offer.start), default: offer.negative };
}

const thresholdsOf = (model: { readonly name: string }, context: SearchContext): readonly number[] =>
  context.models.find((offer) => offer.name === model.name)?.thresholds ?? [];

const nudgeScore = (value: number, candidates: readonly number[], random: Stream): number =>
  (random.chance(0.7) ? nudgeWithin(value, candidates, 3, random) : undefined) ?? nudgeFreely(value, random);

const OPERATORS = {
  'nudge threshold': [4, onCondition(nudgeCondition)],
  'change condition': [1, onCondition((_, context, random) => randomStump(context, random))],
  'change sum': [
    2,
    onCondition((condition, context, random) =>
      isLinear(condition) ? changeSum(condition, context, random) : undefined,
    ),
  ],
  'add condition': [
    2,
    onRule((rule, context, random) => {
      const stump = rule.when.length < GENOME_LIMITS.conditions ? randomStump(context, random) : undefined;
      return stump && { ...rule, when: [...rule.when, stump] };
    }),
  ],
  'remove condition': [
    1,
    onRule((rule, _, random) => {
      if (rule.when.length < 2) return undefined;
      const place = random.integer(rule.when.length);
      return { ...rule, when: rule.when.filter((_condition, index) => index !== place) };
    }),
  ],
  'change verdict': [1, onRule((rule, context, random) => ({ ...rule, then: randomVerdict(context, random) }))],
  'add rule': [
    4,
    (genome, context, random) => {
      const rule = genome.rules.length < GENOME_LIMITS.rules ? randomRule(context, random) : undefined;
      return rule && { ...genome, rules: insertAt(genome.rules, random.integer(genome.rules.length + 1), rule) };
    },
  ],
  'remove rule': [
    2,
    (genome, _, random) => {
      if (genome.rules.length === 0) return undefined;
      const place = random.integer(genome.rules.length);
      return { ...genome, rules: genome.rules.filter((_rule, index) => index !== place) };
    },
  ],
  'swap rules': [
    1,
    (genome, _, random) => {
      if (genome.rules.length < 2) return undefined;
      const [a, b] = random.shuffle(genome.rules.map((_rule, index) => index));
      const rules = replaceAt(replaceAt(genome.rules, a!, genome.rules[b!]!), b!, genome.rules[a!]!);
      return { ...genome, rules };
    },
  ],
  'change otherwise': [1, (genome, context, random) => ({ ...genome, otherwise: randomVerdict(context, random) })],
  'ask model otherwise': [
    1,
    (genome, context) => (context.models.length > 0 ? { ...genome, otherwise: { ask: true } } : undefined),
  ],
  'change default': [
    1,
    (genome, context, random) => genome.model && { ...genome, default: random.pick(context.labels) },
  ],
  'nudge model threshold': [
    3,
    onModel((model, context, random) => ({
      ...model,
      threshold: nudgeScore(model.threshold, thresholdsOf(model, context), random),
    })),
  ],
  'change model': [
    1,
    onModel((_, context, random) => {
      if (context.models.length === 0) return undefined;
      const offer = random.pick(context.models);
      return useOf(offer, offer.start);
    }),
  ],
  'add second model': [
    2,
    onModel((model, context, random) => {
      const second = randomSecond(model, context, random);
      return second && { ...model, second };
    }),
  ],
  'remove second model': [1, onModel(({ second, ...model }) => (second === undefined ? undefined : model))],
  'nudge second model': [
    3,
    onModel((model, context, random) => {
      const { second } = model;
      if (second === undefined) return undefined;
      const field = random.pick(['low', 'high', 'threshold'] as const);
      const candidates = thresholdsOf(field === 'threshold' ? second : model, context);
      const changed = { ...second, [field]: nudgeScore(second[field], candidates, random) };
      return changed.low < changed.high ? { ...model, second: changed } : undefined;
    }),
  ],
} as const satisfies Record<string, readonly [weight: number, operator: Operator]>;

export type MutationName = keyof typeof OPERATORS | 'drop unused rules';

const NAMES = Object.keys(OPERATORS) as (keyof typeof OPERATORS)[];
const WEIGHTED = NAMES.flatMap((name) => new Array<keyof typeof OPERATORS>(OPERATORS[name][0]).fill(name));

const asksAnything = (genome: Genome): boolean =>
  isAsk(genome.otherwise) || genome.rules.some((rule) => isAsk(rule.then));

export interface Mutant {
  readonly genome: Genome;
  readonly operator: MutationName;
}

/**
 * One random change that makes another program; always a valid genome. `coverage` (how many tasks each rule decided)
 * lets it drop rules that never fired. Undefined in the rare case that no change was found in 32 attempts.
 */
export function mutate(
  genome: Genome,
  context: SearchContext,
  random: Stream,
  coverage?: readonly number[],
): Mutant | undefined {
  if (coverage?.includes(0) === true && random.chance(0.25))
    return { genome: dropUnused(genome, coverage), operator: 'drop unused rules' };
  const before = canonicalJson(tidyGenome(genome));
  for (let attempt = 0; attempt < 32; attempt++) {
    const operator = random.pick(WEIGHTED);
    const changed = OPERATORS[operator][1](genome, context, random);
    if (changed === undefined) continue;
    const child = tidyGenome(asksAnything(changed) ? withModel(changed, context, random) : changed);
    if (canonicalJson(child) !== before) return { genome: child, operator };
  }
  return undefined;
}
