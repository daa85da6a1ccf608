import { canonicalJson } from '../canonical/canonical.ts';
import { GENOME_LIMITS, isAsk } from './genome.ts';
import type { Genome, Rule, Verdict } from './genome.ts';

const sameVerdict = (a: Verdict, b: Verdict): boolean => canonicalJson(a) === canonicalJson(b);

/**
 * The same program without what cannot matter, so that equal programs more often have equal hashes: repeated conditions,
 * rules whose conditions an earlier rule has, closing rules that say what `otherwise` says, a model nobody asks, and a
 * default nobody reads (it becomes the first label). Questions to a model that is not there become `default` first.
 */
export function tidyGenome(genome: Genome): Genome {
  const settle = (verdict: Verdict): Verdict =>
    isAsk(verdict) && genome.model === undefined ? { label: genome.default } : verdict;
  const otherwise = settle(genome.otherwise);
  const seen = new Set<string>();
  const rules: Rule[] = [];
  for (const rule of genome.rules) {
    const when = [...new Map(rule.when.map((condition) => [canonicalJson(condition), condition])).values()];
    const key = canonicalJson(when);
    if (seen.has(key)) continue;
    seen.add(key);
    rules.push({ when, then: settle(rule.then) });
  }
  rules.length = Math.min(rules.length, GENOME_LIMITS.rules);
  while (rules.length > 0 && sameVerdict(rules.at(-1)!.then, otherwise)) rules.pop();
  const asks = isAsk(otherwise) || rules.some((rule) => isAsk(rule.then));
  const { model, labels } = genome;
  return asks
    ? { labels, rules, otherwise, default: genome.default, ...(model && { model }) }
    : { labels, rules, otherwise, default: labels[0]! };
}

/** Without the rules that never fired: `coverage[r]` is how many tasks rule `r` decided. */
export function dropUnused(genome: Genome, coverage: readonly number[]): Genome {
  return tidyGenome({ ...genome, rules: genome.rules.filter((_, index) => coverage[index] !== 0) });
}
