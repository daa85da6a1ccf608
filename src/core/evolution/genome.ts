import * as z from 'zod';
import { invalidInput } from '../../contracts/errors.ts';
import type { Problem } from '../../contracts/errors.ts';
import { hashOf } from '../canonical/canonical.ts';
import type { Sha256 } from '../canonical/canonical.ts';

/**
 * A genome is a decision program as data: ordered cheap rules over the numeric features of a task, and what to ask of
 * which model when no rule settles it. It is generic: labels, features and models are those of the task type.
 *
 * Meaning: the first rule whose conditions all hold gives the verdict, else `otherwise` does. The verdict `ask` puts the
 * task to `model`; a score of at least `threshold` means `positive`, less means `negative`. Where there is a `second`
 * model and the score lies strictly inside (low, high), the second model decides instead. Without an answer of the first
 * model the label is `default`; without one of the second, the first model's score decides.
 */
export interface Genome {
  readonly labels: readonly string[];
  readonly rules: readonly Rule[];
  readonly otherwise: Verdict;
  readonly default: string;
  readonly model?: ModelUse;
}

export interface Rule {
  /** All of them must hold. */
  readonly when: readonly Condition[];
  readonly then: Verdict;
}

export type Verdict = { readonly label: string } | { readonly ask: true };

export type Comparison = '<=' | '>';

/** One feature against a threshold. A NaN feature satisfies neither comparison. */
export interface FeatureCondition {
  readonly feature: number;
  readonly op: Comparison;
  readonly threshold: number;
}

/** A weighted sum of features, added in the order given, against a threshold. */
export interface LinearCondition {
  readonly sum: readonly LinearTerm[];
  readonly op: Comparison;
  readonly threshold: number;
}

export interface LinearTerm {
  readonly feature: number;
  readonly weight: number;
}

export type Condition = FeatureCondition | LinearCondition;

export interface ModelUse {
  readonly name: string;
  /** JSON pointer of what the model reads in the payload. */
  readonly input: string;
  /** Which of the model's scores counts. */
  readonly score: number;
  readonly threshold: number;
  readonly positive: string;
  readonly negative: string;
  readonly second?: SecondModel;
}

export interface SecondModel {
  readonly name: string;
  readonly input: string;
  readonly score: number;
  readonly threshold: number;
  readonly low: number;
  readonly high: number;
}

/** Bounds that keep a genome readable, and its program a few kilobytes. */
export const GENOME_LIMITS = { labels: 32, rules: 32, conditions: 3, terms: 32, features: 4096, scores: 1024 } as const;

const integerBelow = (bound: number) => z.int().min(0).lt(bound);

const schemas = new Map<string, ReturnType<typeof buildSchema>>();

/** Labels and "there is a model" come from the input itself, so that one pass finds every problem. */
function schemaFor(labels: readonly string[], hasModel: boolean): ReturnType<typeof buildSchema> {
  // zod compiles a schema at its first use, which takes far longer than the use: a search keeps to one set of labels.
  const key = JSON.stringify([hasModel, labels]);
  const known = schemas.get(key) ?? buildSchema(labels, hasModel);
  if (schemas.size >= 16) schemas.clear();
  schemas.set(key, known);
  return known;
}

function buildSchema(labels: readonly string[], hasModel: boolean) {
  const label = z.string().refine((value) => labels.includes(value), { error: 'is not one of the labels' });
  const verdict = z.union([
    z.strictObject({ label }),
    z.strictObject({ ask: z.literal(true) }).refine(() => hasModel, { error: 'asks a model, but the genome has none' }),
  ]);
  const op = z.enum(['<=', '>']);
  const feature = integerBelow(GENOME_LIMITS.features);
  const condition = z.union([
    z.strictObject({ feature, op, threshold: z.number() }),
    z.strictObject({
      sum: z
        .array(z.strictObject({ feature, weight: z.number() }))
        .min(1)
        .max(GENOME_LIMITS.terms),
      op,
      threshold: z.number(),
    }),
  ]);
  const ask = {
    name: z.string().min(1).max(200),
    input: z.string().regex(/^(\/.*)?$/s, { error: 'is not a JSON pointer' }),
    score: integerBelow(GENOME_LIMITS.scores),
    threshold: z.number(),
  };
  const second = z
    .strictObject({ ...ask, low: z.number(), high: z.number() })
    .refine((value) => value.low < value.high, { error: 'low must be less than high' });
  const model = z
    .strictObject({ ...ask, positive: label, negative: label, second: second.optional() })
    .refine((value) => value.positive !== value.negative, { error: 'positive and negative must differ' });
  return z.strictObject({
    labels: z
      .array(z.string().min(1).max(200))
      .min(2)
      .max(GENOME_LIMITS.labels)
      .refine((value) => new Set(value).size === value.length, { error: 'labels must be distinct' }),
    rules: z
      .array(z.strictObject({ when: z.array(condition).min(1).max(GENOME_LIMITS.conditions), then: verdict }))
      .max(GENOME_LIMITS.rules),
    otherwise: verdict,
    default: label,
    model: model.optional(),
  });
}

const escapePointer = (key: PropertyKey): string => String(key).replaceAll('~', '~0').replaceAll('/', '~1');

/** The leaves of zod's issues: where every branch of a union failed, those of the branch that came closest. */
function problemsOf(issues: readonly z.core.$ZodIssue[], prefix: readonly PropertyKey[] = []): Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const path = [...prefix, ...issue.path];
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const nearest = issue.errors.reduce((best, branch) => (branch.length < best.length ? branch : best));
      return problemsOf(nearest, path);
    }
    return [{ path: path.map((key) => `/${escapePointer(key)}`).join(''), message: issue.message }];
  });
}

/** Checks untrusted data. Throws CHIMERA_INVALID_INPUT with every problem at once, each with its JSON pointer. */
export function parseGenome(input: unknown): Genome {
  const given = (typeof input === 'object' && input !== null ? input : {}) as { labels?: unknown; model?: unknown };
  const labels = Array.isArray(given.labels) ? given.labels.filter((label) => typeof label === 'string') : [];
  const result = schemaFor(labels, given.model !== undefined).safeParse(input);
  if (!result.success) throw invalidInput('the genome', problemsOf(result.error.issues));
  return result.data;
}

/** The name of a genome: SHA-256 of its canonical JSON. */
export function genomeHash(genome: Genome): Sha256 {
  return hashOf(genome);
}

export const isLinear = (condition: Condition): condition is LinearCondition => 'sum' in condition;

export const isAsk = (verdict: Verdict): verdict is { readonly ask: true } => 'ask' in verdict;

/** The features a condition reads, in order. */
export function featuresOf(condition: Condition): number[] {
  return isLinear(condition) ? condition.sum.map((term) => term.feature) : [condition.feature];
}

/** How many features a task must bring for the rules to be evaluated: the highest index used, plus one. */
export function featuresNeeded(genome: Genome): number {
  let needed = 0;
  for (const rule of genome.rules)
    for (const condition of rule.when)
      for (const feature of featuresOf(condition)) needed = Math.max(needed, feature + 1);
  return needed;
}

/** The names of the models a genome can ask: what its manifest must be granted. */
export function modelsOf(genome: Genome): string[] {
  if (genome.model === undefined) return [];
  const { name, second } = genome.model;
  return second === undefined || second.name === name ? [name] : [name, second.name];
}
