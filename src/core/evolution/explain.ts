import { isAsk, isLinear } from './genome.ts';
import type { Condition, Genome, ModelUse, Rule, Verdict } from './genome.ts';

/** Names for feature indices; an index without one is written `feature 7`. */
export type FeatureNames = readonly string[];

const nameOf = (feature: number, names: FeatureNames): string => names[feature] ?? `feature ${feature}`;

function conditionText(condition: Condition, names: FeatureNames): string {
  if (!isLinear(condition)) return `${nameOf(condition.feature, names)} ${condition.op} ${condition.threshold}`;
  const sum = condition.sum
    .map(({ feature, weight }, index) => {
      const size = Math.abs(weight);
      const term = size === 1 ? nameOf(feature, names) : `${size} × ${nameOf(feature, names)}`;
      if (index === 0) return weight < 0 ? `−${term}` : term;
      return `${weight < 0 ? '−' : '+'} ${term}`;
    })
    .join(' ');
  return `${sum} ${condition.op} ${condition.threshold}`;
}

const verdictText = (verdict: Verdict, genome: Genome): string =>
  !isAsk(verdict) ? verdict.label : genome.model ? `ask model ${genome.model.name}` : 'ask the model';

/** One rule as a sentence: `if links > 3 and words <= 20 then spam`. */
export function ruleText(rule: Rule, genome: Genome, names: FeatureNames = []): string {
  const conditions = rule.when.map((condition) => conditionText(condition, names)).join(' and ');
  return `if ${conditions} then ${verdictText(rule.then, genome)}`;
}

function modelLines(model: ModelUse): string[] {
  const read = (input: string): string => (input === '' ? 'the whole task' : input);
  const lines = [
    `model ${model.name} reads ${read(model.input)}: score ${model.score} ≥ ${model.threshold} means ${model.positive}, less means ${model.negative}`,
  ];
  const { second } = model;
  if (second !== undefined)
    lines.push(
      `  but where ${second.low} < score < ${second.high}, model ${second.name} reads ${read(second.input)}: score ${second.score} ≥ ${second.threshold} means ${model.positive}, less means ${model.negative}`,
    );
  return lines;
}

/** The genome as a program that a person can read, one line a rule. */
export function explainGenome(genome: Genome, names: FeatureNames = []): string {
  const lines = genome.rules.map((rule, index) => `${index + 1}. ${ruleText(rule, genome, names)}`);
  lines.push(`otherwise ${verdictText(genome.otherwise, genome)}`);
  if (genome.model !== undefined) {
    lines.push(...modelLines(genome.model));
    lines.push(`without a score: ${genome.default}`);
  }
  return lines.join('\n');
}

interface Edit {
  readonly sign: '-' | '+';
  readonly index: number;
  readonly text: string;
}

/** What turns `before` into `after`: the complement of a longest common subsequence, removals before additions. */
function edits(before: readonly string[], after: readonly string[]): Edit[][] {
  const common: number[][] = Array.from({ length: before.length + 1 }, () =>
    new Array<number>(after.length + 1).fill(0),
  );
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--)
      common[i]![j] =
        before[i] === after[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
  const hunks: Edit[][] = [];
  let hunk: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      hunks.push(hunk);
      hunk = [];
      i++;
      j++;
    } else if (i < before.length && (j === after.length || common[i + 1]![j]! >= common[i]![j + 1]!)) {
      hunk.push({ sign: '-', index: i, text: before[i++]! });
    } else {
      hunk.push({ sign: '+', index: j, text: after[j++]! });
    }
  }
  hunks.push(hunk);
  return hunks.filter((edit) => edit.length > 0);
}

function ruleDifference(parent: Genome, child: Genome, names: FeatureNames): string[] {
  // The model's name is not part of a rule: changing the model is one line, not one for every rule that asks.
  const texts = (genome: Genome): string[] =>
    genome.rules.map((rule) => ruleText(rule, { ...genome, model: undefined }, names));
  return edits(texts(parent), texts(child)).flatMap((hunk) => {
    const [removed, added] = [hunk.filter((e) => e.sign === '-'), hunk.filter((e) => e.sign === '+')];
    if (removed.length === 1 && added.length === 1)
      return [`~ rule ${added[0]!.index + 1}: ${removed[0]!.text} → ${added[0]!.text}`];
    return hunk.map(({ sign, index, text }) => `${sign} rule ${index + 1}: ${text}`);
  });
}

function fieldDifference(prefix: string, before: object | undefined, after: object | undefined): string[] {
  const [old, fresh] = [(before ?? {}) as Record<string, unknown>, (after ?? {}) as Record<string, unknown>];
  if (before === undefined && after === undefined) return [];
  if (before === undefined) return [`+ ${prefix}: ${fresh.name}`];
  if (after === undefined) return [`- ${prefix}: ${old.name}`];
  return Object.keys({ ...old, ...fresh })
    .filter((key) => typeof (old[key] ?? fresh[key]) !== 'object' && old[key] !== fresh[key])
    .sort()
    .map((key) => `~ ${prefix} ${key}: ${String(old[key])} → ${String(fresh[key])}`);
}

/**
 * What a child changed of its parent, a line a change: `~` changed, `+` added, `-` removed. Removed rules carry the
 * parent's number, the others the child's. Empty where the programs are the same.
 */
export function diffGenomes(parent: Genome, child: Genome, names: FeatureNames = []): string[] {
  const lines = ruleDifference(parent, child, names);
  const field = (name: string, before: string, after: string): void => {
    if (before !== after) lines.push(`~ ${name}: ${before} → ${after}`);
  };
  const otherwise = (genome: Genome): string => (isAsk(genome.otherwise) ? 'ask the model' : genome.otherwise.label);
  field('labels', parent.labels.join(', '), child.labels.join(', '));
  field('otherwise', otherwise(parent), otherwise(child));
  field('without a score', parent.default, child.default);
  lines.push(...fieldDifference('model', parent.model, child.model));
  lines.push(...fieldDifference('second model', parent.model?.second, child.model?.second));
  return lines;
}
